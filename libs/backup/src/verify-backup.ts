import { OTHER_BACKUP, pathOf, type BackupStore } from './backup-store.js';
import type { Manifest } from './manifest.js';
import { BackupTrouble } from './trouble.js';

export interface Verified {
  chunks: number;
  entries: number;
}

/** What is wrong with a backup; `chunk` is where it lies in the store. */
export interface Fault {
  noun: string;
  chunk: string;
  problem: 'missing' | 'damaged';
}

/** Reads every chunk of a backup back and checks every bit. */
export async function examine(
  store: BackupStore,
  manifest: Manifest,
  onProgress: (line: string) => void = () => undefined,
): Promise<Verified & { faults: Fault[] }> {
  const found = { chunks: 0, entries: 0, faults: [] as Fault[] };
  for (const { name: noun, chunks } of manifest.parts) {
    onProgress(`verifying ${noun}`);
    for (const name of chunks) {
      const chunk = await store.chunk(name);
      found.chunks += 1;
      if (typeof chunk === 'string') found.faults.push({ noun, chunk: pathOf(name), problem: chunk });
      else found.entries += chunk.length;
    }
  }
  return found;
}

/** As `examine`; throws `BackupTrouble`, naming what is wrong, unless all is well. */
export async function verifyBackup(
  store: BackupStore,
  manifest: Manifest,
  onProgress?: (line: string) => void,
): Promise<Verified> {
  const { faults, ...verified } = await examine(store, manifest, onProgress);
  if (faults.length > 0)
    throw new BackupTrouble(
      `backup ${manifest.id} cannot be restored: ${faults.length} of its ${verified.chunks} chunks are damaged or missing`,
      OTHER_BACKUP,
      faults.map(({ noun, chunk, problem }) => `${noun}: ${chunk} is ${problem}`),
    );
  const wanted = manifest.parts.reduce((sum, { entries }) => sum + entries, 0);
  if (verified.entries === wanted) return verified;
  throw new BackupTrouble(
    `backup ${manifest.id} holds ${verified.entries} values and should hold ${wanted}`,
    OTHER_BACKUP,
  );
}
