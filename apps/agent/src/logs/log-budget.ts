import { readdir, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';

/** A log that was exchanged, or its index: nothing is written to it any more. */
const OLD = /\.(?:log|idx)\.\d+$/;
const NOW = /\.log$/;

interface Found {
  path: string;
  bytes: number;
  changedMs: number;
  old: boolean;
}

/**
 * Keeps the logs of all replicas of a node within a number of bytes: the oldest that were exchanged go first, then what the
 * largest of the others hold. Answers how many bytes went.
 */
export async function keepWithin(workRoot: string, limitBytes: number): Promise<number> {
  const found = await logsBelow(workRoot);
  let over = found.reduce((sum, { bytes }) => sum + bytes, 0) - limitBytes;
  let gone = 0;
  const oldFirst = found.filter((f) => f.old).toSorted((a, b) => a.changedMs - b.changedMs);
  for (const { path, bytes } of oldFirst) {
    if (over <= 0) return gone;
    await rm(path, { force: true });
    over -= bytes;
    gone += bytes;
  }
  const largestFirst = found.filter((f) => !f.old && NOW.test(f.path)).toSorted((a, b) => b.bytes - a.bytes);
  for (const { path, bytes } of largestFirst) {
    if (over <= 0) return gone;
    // Its replica goes on writing at the end of it, which is its beginning then.
    await truncate(path, 0).catch(() => undefined);
    await rm(path.replace(NOW, '.idx'), { force: true });
    over -= bytes;
    gone += bytes;
  }
  return gone;
}

async function logsBelow(workRoot: string): Promise<Found[]> {
  const found: Found[] = [];
  for (const replica of await readdir(workRoot).catch(() => [])) {
    const folder = join(workRoot, replica, 'logs');
    for (const name of await readdir(folder).catch(() => [])) {
      const path = join(folder, name);
      const stats = await stat(path).catch(() => undefined);
      if (stats === undefined) continue;
      found.push({ path, bytes: stats.size, changedMs: stats.mtimeMs, old: OLD.test(name) });
    }
  }
  return found;
}
