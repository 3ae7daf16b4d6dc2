import type { Status } from '@skerry/contracts';
import { CommandFailed, EXIT, type ExitCode } from '../exit-codes.js';
import { findSite, keyOf } from '../names.js';
import { plain } from '../output/terminal.js';
import { plan } from './plan.js';
import type { Session } from './session.js';

/** Between two looks at what is left. */
const LOOK_MS = 500;
/** Workloads named when not all could leave. */
const MAX_NAMED = 10;

export interface EmptyOptions {
  /** From now, ms. */
  deadline?: number;
  /** Shows what would go where, and does nothing. */
  plan?: boolean;
  /** Seconds to wait until nothing is left. */
  wait?: number | true;
}
export const DEFAULT_EMPTY_WAIT_S = 600;

/** What a place that is to be emptied still holds. */
interface Left {
  replicas: number;
  workloads: Status[];
}

/** `skerry site drain|evacuate SITE`: what runs there goes elsewhere; exit 1 when something is left after `--wait`. */
export async function drainSite(
  session: Session,
  name: string,
  kind: 'drain' | 'evacuate',
  options: EmptyOptions,
): Promise<number> {
  if (options.plan) return plan(session, { drain: name });
  const { client, terminal } = session;
  const { site } = await findSite(client, name);
  const deadlineMs = options.deadline === undefined ? {} : { deadlineMs: options.deadline };
  const all = await countOf(session, options, site.name);
  const done = await terminal.during(
    'waiting for admission',
    client.drain(site.name, { kind, ...deadlineMs }),
  );
  const said = `${site.name} takes no new work, and what runs there goes elsewhere`;
  const undo = `skerry site undo ${site.name}`;
  return emptied(session, { done, said, options, all, name: site.name, undo });
}

/** `skerry site rm SITE` with a preview, a deadline or waiting. */
export async function retireSite(
  session: Session,
  name: string,
  options: EmptyOptions & { force?: boolean },
): Promise<number> {
  if (options.plan) return plan(session, { drain: name });
  const { client, terminal } = session;
  const { site } = await findSite(client, name);
  const { force = false, deadline } = options;
  const all = await countOf(session, options, site.name);
  const asked = client.removeSite(site.name, {
    force,
    ...(deadline === undefined ? {} : { deadlineMs: deadline }),
  });
  const done = await terminal.during('waiting for admission', asked);
  const said = force
    ? `${site.name} is removed; its name is not used again`
    : `${site.name} leaves: its work moves away first, then its machine is cleaned`;
  const undo = `skerry site undo ${site.name}`;
  return emptied(session, { done, said, options, all, name: site.name, undo });
}

/** `skerry site undo SITE`: takes a drain, an evacuation or a removal back. */
export async function undoSite({ client, terminal }: Session, name: string): Promise<void> {
  const { site } = await findSite(client, name);
  const done = await terminal.during('waiting for admission', client.recall(site.name));
  const changed = done.changes.some(({ change }) => change !== 'unchanged');
  terminal.result(done, () =>
    terminal.say(
      changed
        ? `${site.name} stays: it takes work again${site.cordoned ? ' once it is uncordoned' : ''}; what has moved away comes back with a rebalance`
        : `nothing is under way at ${site.name}`,
    ),
  );
  terminal.next(`skerry site show ${site.name}`, 'skerry rebalance --plan');
}

/** `skerry node cordon|drain|uncordon SITE/NODE`, and `rm`. */
export async function ruleNode(
  session: Session,
  text: string,
  rule: 'cordoned' | 'draining' | 'removed' | undefined,
  options: Pick<EmptyOptions, 'plan' | 'wait'> = {},
): Promise<number> {
  const { client, terminal } = session;
  const [siteName, node] = partsOf(text);
  const { site } = await findSite(client, siteName);
  if (options.plan) return previewNode(session, site.name, node);
  const all = await countOf(session, options, site.name, node);
  const asked =
    rule === 'removed' ? client.removeNode(site.name, node) : client.setNode(site.name, node, rule);
  const done = await terminal.during('waiting for admission', asked);
  const said = `${site.name}/${node} ${WORDS[rule ?? 'none']}`;
  const undo =
    rule === undefined || rule === 'removed' ? 'skerry node ls' : `skerry node uncordon ${site.name}/${node}`;
  return emptied(session, { done, said, options, all, name: site.name, node, undo });
}

const WORDS = {
  cordoned: 'takes no new work; what runs there stays',
  draining: 'takes no new work, and what runs there goes elsewhere',
  removed: 'is removed; its name is not used again',
  none: 'takes new work again',
} as const;

async function previewNode(session: Session, site: string, node: string): Promise<ExitCode> {
  const { client, terminal } = session;
  const left = await terminal.during('reading what runs there', leftAt(session, site, node));
  const others = (await client.nodes()).filter((n) => n.site === site && n.node !== node);
  terminal.result({ site, node, ...left, others: others.map((n) => n.node) }, () => {
    terminal.say(
      `if ${site}/${node} were drained, ${left.replicas} replicas would go to other nodes of ${site}:`,
    );
    for (const status of left.workloads)
      terminal.say(`  ${plain(keyOf(status))} ${replicasAt(status, site, node)}`);
    terminal.say(
      others.length === 0
        ? 'it is the only node of its site: they would go to other sites'
        : `other nodes: ${others.map((n) => n.node).join(', ')}; what does not fit there goes to other sites`,
    );
  });
  terminal.next(`skerry node drain ${site}/${node} --wait`);
  return EXIT.ok;
}

interface Emptied {
  done: object;
  /** What was done, in words. */
  said: string;
  options: Pick<EmptyOptions, 'wait'>;
  /** Replicas that were there before, when their leaving is waited for. */
  all: number;
  name: string;
  node?: string;
  undo: string;
}

async function emptied(
  session: Session,
  { done, said, options, all, name, node, undo }: Emptied,
): Promise<number> {
  const { terminal } = session;
  const where = node === undefined ? name : `${name}/${node}`;
  if (options.wait === undefined) {
    const left = await leftAt(session, name, node);
    terminal.result({ ...done, left: left.replicas }, () => {
      terminal.say(said);
      terminal.say(leftText(where, left.replicas));
    });
    terminal.next(`skerry site show ${name}`, undo);
    return EXIT.ok;
  }
  const waitMs = (options.wait === true ? DEFAULT_EMPTY_WAIT_S : options.wait) * 1_000;
  const left = await untilEmpty(session, { site: name, node, all }, waitMs);
  terminal.result({ ...done, left: left.replicas }, () => {
    terminal.say(said);
    terminal.say(leftText(where, left.replicas));
    for (const status of left.workloads.slice(0, MAX_NAMED)) {
      const why = status.reasons[0] ?? `${status.phase}; see skerry why ${keyOf(status)}`;
      terminal.say(`  ${plain(keyOf(status))}: ${plain(why)}`);
    }
  });
  terminal.next(left.replicas === 0 ? 'skerry status' : undo);
  return left.replicas === 0 ? EXIT.ok : EXIT.failed;
}

const leftText = (where: string, replicas: number) =>
  replicas === 0
    ? `nothing runs at ${where}`
    : `${replicas} ${replicas === 1 ? 'replica is' : 'replicas are'} still at ${where}`;

/** Counted before anything is asked for: a small site is empty sooner than one can look. */
async function countOf(
  session: Session,
  { wait }: Pick<EmptyOptions, 'wait'>,
  site: string,
  node?: string,
): Promise<number> {
  return wait === undefined ? 0 : (await leftAt(session, site, node)).replicas;
}

async function untilEmpty(
  session: Session,
  { site, node, all }: { site: string; node: string | undefined; all: number },
  waitMs: number,
): Promise<Left> {
  const { terminal } = session;
  const began = performance.now();
  let most = all;
  const tell = (replicas: number) => {
    const seconds = ((performance.now() - began) / 1_000).toFixed(1).padStart(5);
    if (!terminal.json) terminal.note(`${seconds} s  ${most - replicas} of ${most} replicas have left`);
  };
  tell(all);
  for (let before = all; ;) {
    const left = await leftAt(session, site, node);
    most = Math.max(most, left.replicas);
    if (left.replicas !== before) tell(left.replicas);
    before = left.replicas;
    const over = performance.now() - began > waitMs;
    if (left.replicas === 0 || over || session.signal.aborted) return left;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

async function leftAt({ client }: Session, site: string, node?: string): Promise<Left> {
  const workloads: Status[] = [];
  let replicas = 0;
  for await (const status of client.status()) {
    const here = replicasAt(status, site, node);
    if (here === 0) continue;
    workloads.push(status);
    replicas += here;
  }
  return { replicas, workloads };
}

/** Replicas of a workload that run, or are wanted, at a site; of one node, those that run there. */
function replicasAt(status: Status, site: string, node?: string): number {
  // What has completed is on record where it ran, and nothing of it is left to leave.
  if (status.phase === 'completed') return 0;
  const there = status.sites.filter((s) => s.site === site);
  if (node === undefined) return there.reduce((sum, s) => sum + Math.max(s.wanted, s.replicas.length), 0);
  return there.flatMap((s) => s.replicas).filter((r) => r.node === node).length;
}

function partsOf(text: string): [string, string] {
  const [site, node, ...more] = text.split('/');
  if (site && node && more.length === 0) return [site, node];
  throw new CommandFailed(EXIT.usage, `${text}: a node is written SITE/NODE`, 'skerry node ls shows them');
}
