import type { Change } from '@skerry/contracts';
import { CommandFailed, EXIT } from '../exit-codes.js';
import { readSources } from '../sources.js';
import type { Session } from './session.js';
import { waitForRunning } from './wait.js';

export interface ApplyOptions {
  file: string[];
  /** Seconds to wait until everything runs; absent: do not wait. */
  wait?: number;
  ifGeneration?: number;
}

/** `skerry apply -f`: all documents or none; with `--wait` until they run. */
export async function apply(session: Session, options: ApplyOptions): Promise<void> {
  const { client, terminal } = session;
  const body = await readSources(options.file, session.stdin);
  const condition = options.ifGeneration === undefined ? {} : { ifGeneration: options.ifGeneration };
  const done = await terminal.during('waiting for admission', client.apply(body, condition));
  const changes = done.changes.filter(({ noun }) => noun === 'workload');
  const datasets = done.changes.filter(({ noun }) => noun === 'dataset');
  if (options.wait === undefined) {
    terminal.result(done, () => showChanges(changes, done.traceId, session, datasets));
    terminal.next(
      ...datasets.slice(0, 1).map((change) => `skerry data where ${keyOf(change)}`),
      ...changes.slice(0, 1).map((change) => `skerry why ${keyOf(change)}`),
      ...(changes.length === 0 ? [] : ['skerry status --watch']),
    );
    return;
  }
  if (!terminal.json) showChanges(changes, done.traceId, session, datasets);
  await awaitChanges(session, { answer: done, changes, seconds: options.wait });
}

/** Waits until the changed workloads run; with `--json` the answer is then shown with their statuses. Throws `CommandFailed` when they do not in time. */
export async function awaitChanges(
  session: Session,
  { answer, changes, seconds }: { answer: object; changes: Change[]; seconds: number },
): Promise<void> {
  const { terminal } = session;
  const { statuses, waiting } = await waitForRunning(session, changes, seconds * 1_000);
  if (session.signal.aborted)
    throw new CommandFailed(EXIT.interrupted, 'it was applied; it is not waited for any more');
  terminal.result({ ...answer, statuses }, () => undefined);
  if (waiting.length > 0) {
    const lines = waiting.map(({ key, phase }) => `${key} is ${phase}`);
    const hint = `skerry why ${waiting[0]?.key ?? ''}`;
    throw new CommandFailed(EXIT.timedOut, `not running after ${seconds} s`, hint, lines);
  }
  terminal.next('skerry status', ...changes.slice(0, 1).map((change) => `skerry get ${keyOf(change)}`));
}

function showChanges(changes: Change[], traceId: string, { terminal }: Session, datasets: Change[]): void {
  const rowsOf = (some: Change[]) =>
    some.map((change) => [keyOf(change), change.change, String(change.generation)]);
  if (changes.length > 0) terminal.table(['WORKLOAD', 'CHANGE', 'GENERATION'], rowsOf(changes));
  if (datasets.length > 0) terminal.table(['DATASET', 'CHANGE', 'GENERATION'], rowsOf(datasets));
  terminal.say(terminal.colours.dim(`trace ${traceId}`));
}

function keyOf({ project, name }: Change): string {
  return `${project ?? 'default'}/${name}`;
}
