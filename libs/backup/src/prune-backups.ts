import type { BackupStore } from './backup-store.js';
import { inTurn } from './turns.js';

export interface PruneOptions {
  /** So many of the newest stay, 1 at least. */
  keep?: number;
  /** Only what was made before this goes, ms since the epoch. */
  before?: number;
  /** Says what would go, and removes nothing. */
  preview: boolean;
  onProgress?: (line: string) => void;
}

export interface Pruned {
  /** The oldest first. */
  gone: { id: string; createdAt: string }[];
  kept: string[];
  /** How many chunks no kept backup needs, also those that one left which was broken off. */
  chunks: number;
}

/**
 * Removes old backups, and the chunks that none of those which stay needs. The newest always stays. A backup is gone as soon as its
 * list is, and its chunks go after that: broken off in between, chunks are left that nobody needs, and the next one removes them.
 * Throws `BackupTrouble` when the list of one that stays cannot be read (which chunks it needs is not known then), or while a backup is being made.
 */
export async function pruneBackups(store: BackupStore, options: PruneOptions): Promise<Pruned> {
  if (options.preview) return (await choose(store, options)).pruned;
  return await inTurn(store.target, 'pruning', async () => await prune(store, options));
}

async function prune(store: BackupStore, options: PruneOptions): Promise<Pruned> {
  const { onProgress = () => undefined } = options;
  const { pruned, chunks } = await choose(store, options);
  for (const { id } of pruned.gone) {
    onProgress(`removing backup ${id}`);
    await store.remove(id);
  }
  for (const [at, path] of chunks.entries()) {
    onProgress(`removing chunk ${at + 1} of ${chunks.length}`);
    await store.target.remove(path);
  }
  return pruned;
}

async function choose(
  store: BackupStore,
  { keep, before }: PruneOptions,
): Promise<{ pruned: Pruned; chunks: string[] }> {
  const all = (await store.ids()).map((id) => ({ id, createdAt: madeAt(id) }));
  const gone = goes(all, { keep, before });
  const kept = all.slice(gone.length).map(({ id }) => id);
  const needed = new Set<string>();
  for (const id of kept) {
    const { parts } = await store.manifest(id);
    for (const chunk of parts.flatMap(({ chunks }) => chunks)) needed.add(chunk);
  }
  const chunks = await store.chunksBeside(needed);
  const pruned = { gone, kept, chunks: chunks.length };
  return { pruned, chunks };
}

/** When a backup was begun, as its id says: what goes need not be read for it. */
function madeAt(id: string): string {
  const [, y, mo, d, h, mi, s] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/.exec(id) ?? [];
  return `${y}-${mo}-${d}T${h}:${mi}:${s}Z`;
}

/** Those of all (the oldest first) that go: the first ones, by every rule that is given. */
export function goes<T extends { createdAt: string }>(
  all: readonly T[],
  { keep = 1, before }: { keep?: number | undefined; before?: number | undefined },
): T[] {
  const older = all.slice(0, Math.max(0, all.length - Math.max(1, keep)));
  return before === undefined ? older : older.filter(({ createdAt }) => Date.parse(createdAt) < before);
}
