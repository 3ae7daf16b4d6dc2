import { copyFile, rename, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';

export type LogStream = 'stdout' | 'stderr';
export const LOG_STREAMS: readonly LogStream[] = ['stdout', 'stderr'];

/** A log is exchanged when it is this large; this many older ones are kept. */
export const ROTATE_BYTES = 10 * 1024 * 1024;
export const OLD_LOGS = 2;

/** A log and its index, newest (0) or older. */
export function logPaths(folder: string, stream: LogStream, age = 0): { log: string; index: string } {
  const suffix = age === 0 ? '' : `.${age}`;
  return { log: join(folder, `${stream}.log${suffix}`), index: join(folder, `${stream}.idx${suffix}`) };
}

/** Bytes in a file; 0 when there is none. */
export async function sizeOf(path: string): Promise<number> {
  return await stat(path).then(
    (s) => s.size,
    () => 0,
  );
}

/**
 * Exchanges a log while it is written to. The replica writes to the file itself, so that nothing stands between
 * them: the content is copied away and the file emptied, and what is appended goes on at its beginning. Lines
 * written in the microseconds between the last look and the emptying are lost.
 */
export async function rotate(folder: string, stream: LogStream): Promise<void> {
  for (let age = OLD_LOGS; age > 1; age--)
    await shift(logPaths(folder, stream, age - 1), logPaths(folder, stream, age));
  const [now, old] = [logPaths(folder, stream), logPaths(folder, stream, 1)];
  await copyFile(now.log, old.log);
  await truncate(now.log, 0);
  await rename(now.index, old.index).catch(() => undefined);
}

async function shift(
  from: { log: string; index: string },
  to: { log: string; index: string },
): Promise<void> {
  await rm(to.index, { force: true });
  await rename(from.log, to.log).catch(() => undefined);
  await rename(from.index, to.index).catch(() => undefined);
}
