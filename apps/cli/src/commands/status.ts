import type { Status } from '@skerry/contracts';
import { reasonLines, STATUS_HEAD, statusRow } from '../output/workload-lines.js';
import type { Session } from './session.js';

/** Redraws of a watched table a second, at most. */
const FRAME_MS = 200;

/** `skerry status`: what is wanted and what runs, one line a workload. */
export async function status({ client, terminal, project }: Session): Promise<void> {
  const all: Status[] = [];
  await terminal.during('reading the status', gather(client.status(project), all));
  terminal.result(all, () => drawStatus(all, terminal));
  terminal.next(...suggestions(all));
}

/** `skerry status --watch`: the same, kept up to date until Ctrl-C. Not on a terminal: a line for every change. */
export async function watchStatus({ client, terminal, project, signal }: Session): Promise<void> {
  const shown = new Map<string, Status>();
  const onBreak = (reason: string) => terminal.note(`the stream broke (${reason}); going on`);
  const options = { signal, onBreak, ...(project === undefined ? {} : { project }) };
  let drawn = 0;
  let timer: NodeJS.Timeout | undefined;
  const draw = () => {
    timer = undefined;
    drawn = Date.now();
    terminal.redraw(() => drawStatus([...shown.values()].toSorted(byKey), terminal));
  };
  for await (const change of client.watchStatus(options)) {
    if (change.kind === 'caughtUp') continue;
    const { status: now } = change;
    if (now.phase === 'removed') shown.delete(keyOf(now));
    else shown.set(keyOf(now), now);
    if (terminal.interactive) timer ??= setTimeout(draw, Math.max(0, FRAME_MS - (Date.now() - drawn)));
    else terminal.result(now, () => terminal.say(statusRow(now, terminal).join('  ')));
  }
  clearTimeout(timer);
}

function drawStatus(all: Status[], terminal: Session['terminal']): void {
  if (all.length === 0) {
    terminal.say('no workloads');
    return;
  }
  terminal.table(
    STATUS_HEAD,
    all.map((one) => statusRow(one, terminal)),
  );
  const reasons = all.flatMap(reasonLines);
  if (reasons.length > 0) terminal.say();
  for (const line of reasons) terminal.say(line);
}

function suggestions(all: Status[]): string[] {
  const [first] = all;
  if (!first) return ['skerry apply -f deploy/examples/workloads'];
  const bad = all.find(({ phase }) => phase === 'unplaceable' || phase === 'failed' || phase === 'degraded');
  return [`skerry why ${keyOf(bad ?? first)}`];
}

async function gather<T>(items: AsyncIterable<T>, into: T[]): Promise<void> {
  for await (const item of items) into.push(item);
}

function keyOf({ project, name }: Status): string {
  return `${project}/${name}`;
}

function byKey(a: Status, b: Status): number {
  return keyOf(a) < keyOf(b) ? -1 : 1;
}
