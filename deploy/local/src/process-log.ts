import { openSync, renameSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';

/** A log that is larger when its process starts is set aside as `<name>.1`, in place of the one before. */
const MAX_LOG_BYTES = 16 * 1024 ** 2;
/** The end of a log that is read to show its last lines. */
const TAIL_BYTES = 64 * 1024;

/** Opens the log of a process that starts; what an earlier one wrote stays in it. */
export function openLog(path: string): number {
  const bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (bytes > MAX_LOG_BYTES) renameSync(path, `${path}.1`);
  return openSync(path, 'a', 0o600);
}

/** The last lines of a log; says so when there is none. */
export async function lastLines(path: string, count: number): Promise<string> {
  const text = await endOf(path).catch(() => '(no log)');
  return text === '' ? '(nothing was written)' : text.split('\n').slice(-count).join('\n');
}

async function endOf(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const position = Math.max(0, size - TAIL_BYTES);
    const { buffer, bytesRead } = await file.read({ position, buffer: Buffer.alloc(size - position) });
    return buffer.toString('utf8', 0, bytesRead).trimEnd();
  } finally {
    await file.close();
  }
}
