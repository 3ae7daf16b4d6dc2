import type { Change, Status } from '@skerry/contracts';
import { CommandFailed, EXIT } from '../exit-codes.js';
import { phaseText, placesOf, reasonLines } from '../output/workload-lines.js';
import type { Session } from './session.js';

export interface Waited {
  /** As they were last seen. */
  statuses: Status[];
  /** Those that do not run yet; empty when all do. */
  waiting: { key: string; phase: string }[];
}

/** A phase that waiting does not change: it takes an operator or another site. */
const HOPELESS = new Set(['failed', 'unplaceable']);
/** An unplaceable workload is given this long: sites may just be coming up. */
const HOPE_MS = 5_000;

/**
 * Waits until every changed workload runs (or has completed, or is stopped) in the generation applied. Progress goes
 * to standard error. Throws `CommandFailed` when one has failed or stays unplaceable.
 */
export async function waitForRunning(
  session: Session,
  changes: Change[],
  timeoutMs: number,
): Promise<Waited> {
  const wanted = new Map(
    changes.map((change) => [`${change.project ?? 'default'}/${change.name}`, change.generation]),
  );
  const seen = new Map<string, Status>();
  const began = performance.now();
  const ended = new AbortController();
  const end = () => ended.abort();
  const limit = setTimeout(end, timeoutMs);
  session.signal.addEventListener('abort', end, { once: true });
  const isThere = (key: string) => settled(seen.get(key), wanted.get(key) ?? 0);
  const check = () => {
    if ([...wanted.keys()].every(isThere)) end();
    else if (performance.now() - began > HOPE_MS && hopeless([...wanted.keys()], seen, wanted).length > 0)
      end();
  };
  const every = setInterval(check, 250);
  try {
    for await (const change of session.client.watchStatus({ signal: ended.signal })) {
      if (change.kind === 'caughtUp') continue;
      const { status } = change;
      const key = `${status.project}/${status.name}`;
      if (!wanted.has(key) || status.generation < (wanted.get(key) ?? 0)) continue;
      progress(session, seen.get(key), status, began);
      seen.set(key, status);
      check();
    }
  } finally {
    clearInterval(every);
    clearTimeout(limit);
  }
  const waiting = [...wanted.keys()].filter((key) => !isThere(key));
  const lost = hopeless(waiting, seen, wanted);
  if (lost.length > 0) throw cannot(lost);
  return {
    statuses: [...seen.values()],
    waiting: waiting.map((key) => ({ key, phase: seen.get(key)?.phase ?? 'not placed yet' })),
  };
}

function settled(status: Status | undefined, generation: number): boolean {
  if (!status || status.generation < generation) return false;
  return ['running', 'completed', 'stopped', 'removed'].includes(status.phase);
}

function hopeless(keys: string[], seen: Map<string, Status>, wanted: Map<string, number>): Status[] {
  return keys
    .flatMap((key) => seen.get(key) ?? [])
    .filter(
      (status) =>
        HOPELESS.has(status.phase) &&
        status.generation >= (wanted.get(`${status.project}/${status.name}`) ?? 0),
    );
}

function cannot(lost: Status[]): CommandFailed {
  const [first] = lost;
  const lines = lost.flatMap((status) => [
    `${status.project}/${status.name} is ${status.phase}`,
    ...reasonLines(status),
  ]);
  const hint = first ? `skerry why ${first.project}/${first.name}` : undefined;
  return new CommandFailed(EXIT.failed, 'it was applied, but it will not run as things are', hint, lines);
}

function progress({ terminal }: Session, before: Status | undefined, now: Status, beganMs: number): void {
  if (before?.phase === now.phase && before.running === now.running) return;
  const seconds = ((performance.now() - beganMs) / 1_000).toFixed(1);
  const places = placesOf(now.sites.filter(({ wanted }) => wanted > 0));
  const text = `${now.project}/${now.name} ${phaseText(now.phase, terminal)} ${now.running}/${now.wanted} at ${places}`;
  if (!terminal.json) terminal.note(`${seconds.padStart(5)} s  ${text}`);
}
