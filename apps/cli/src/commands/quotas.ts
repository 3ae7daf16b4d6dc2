import { keysOf, nameSchema, type QuotaLimits, type QuotaView } from '@skerry/contracts';
import { CommandFailed, EXIT } from '../exit-codes.js';
import type { Terminal } from '../output/terminal.js';
import type { Session } from './session.js';

/** What each limit is called, in the order in which they are shown. */
const NAMES: Readonly<Record<keyof QuotaLimits, string>> = {
  workloads: 'workloads',
  replicas: 'replicas',
  cpuMillicores: 'cpu (m)',
  memoryMiB: 'memory (MiB)',
  gpus: 'gpus',
  budgetPerMonth: 'budget a month',
};
const LIMITS = keysOf(NAMES);

/** `skerry quota ls`: what each project uses of what it may have. */
export async function listQuotas({ client, terminal, project }: Session): Promise<void> {
  const views = await terminal.during('reading the quotas', client.quotas(project));
  terminal.result(views, () => {
    if (views.length === 0) terminal.say('no project has a quota or workloads');
    else table(terminal, views);
  });
  terminal.next(`skerry quota set ${views[0]?.project ?? 'PROJECT'} --replicas 10`);
}

/** `skerry quota set PROJECT …`: these limits and no others. Says what is used beyond them already. */
export async function setQuota(
  { client, terminal }: Session,
  name: string,
  limits: QuotaLimits,
): Promise<void> {
  const project = projectOf(name);
  if (Object.keys(limits).length === 0) {
    throw new CommandFailed(
      EXIT.usage,
      'no limit is given',
      `skerry quota set ${project} --replicas 10, or skerry quota rm ${project} for no limits`,
    );
  }
  const done = await terminal.during('waiting for admission', client.setQuota(project, limits));
  const [known] = await client.quotas(project);
  // What was set may not have reached the instance yet that says what is used.
  const views = known ? [{ ...known, limits }] : [];
  const over = views.flatMap(overOf);
  const [change] = done.changes;
  terminal.result({ ...done, over }, () => {
    const what = change?.change === 'unchanged' ? 'unchanged' : 'set';
    terminal.say(`quota of ${project} ${what}, generation ${change?.generation ?? '-'}`);
    table(terminal, views);
    for (const line of over.map(overText)) terminal.say(line);
    terminal.say(terminal.colours.dim(`trace ${done.traceId}`));
  });
  terminal.next('skerry quota ls', `skerry status --project ${project}`);
}

/** `skerry quota rm PROJECT`: no limits any more. */
export async function removeQuota({ client, terminal }: Session, name: string): Promise<void> {
  const project = projectOf(name);
  const done = await terminal.during('waiting for admission', client.removeQuota(project));
  terminal.result(done, () => {
    terminal.say(`quota of ${project} is removed: it may have what there is`);
    terminal.say(terminal.colours.dim(`trace ${done.traceId}`));
  });
  terminal.next('skerry quota ls');
}

interface Over {
  limit: keyof QuotaLimits;
  used: number;
  allowed: number;
}

function overOf({ limits, used }: QuotaView): Over[] {
  return LIMITS.flatMap((limit) => {
    const [allowed, now] = [limits[limit], used[limit] ?? 0];
    return allowed !== undefined && now > allowed ? [{ limit, used: now, allowed }] : [];
  });
}

function overText({ limit, used, allowed }: Over): string {
  const beyond = `${NAMES[limit]}: ${amount(limit, used)} in use, ${amount(limit, allowed)} allowed`;
  return limit === 'budgetPerMonth'
    ? `${beyond}; replicas are taken away until what is placed costs no more`
    : `${beyond}; what runs stays, and nothing more of it is admitted`;
}

function table(terminal: Terminal, views: readonly QuotaView[]): void {
  const head = LIMITS.map((limit) => NAMES[limit].toUpperCase());
  terminal.table(
    ['PROJECT', ...head],
    views.map(({ project, limits, used }) => [
      project,
      ...LIMITS.map((limit) => `${amount(limit, used[limit])} of ${amount(limit, limits[limit])}`),
    ]),
  );
}

function amount(limit: keyof QuotaLimits, value: number | undefined): string {
  if (value === undefined) return 'any';
  return limit === 'budgetPerMonth' ? value.toFixed(2) : String(Math.round(value * 1_000) / 1_000);
}

function projectOf(name: string): string {
  const parsed = nameSchema.safeParse(name);
  if (parsed.success) return parsed.data;
  const allowed = parsed.error.issues[0]?.message ?? '';
  throw new CommandFailed(EXIT.usage, `${name} is no name of a project: ${allowed}`);
}
