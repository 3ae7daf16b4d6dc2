import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

/** Where copies are kept unless the caller says otherwise: `.cache` at the top of the repository. */
export const DEFAULT_CACHE = resolve(import.meta.dirname, '../../../.cache');

/**
 * Gives `work` an empty folder inside the cache, on the same disk as what is kept there, and removes it afterwards.
 *
 * @template T
 * @param {string} cacheDir
 * @param {(folder: string) => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function inWorkFolder(cacheDir, work) {
  const folder = join(cacheDir, `work-${process.pid}-${randomBytes(6).toString('hex')}`);
  await mkdir(folder, { recursive: true });
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Moves a finished folder to its place in one step, so that nobody sees half of it. When another process was faster,
 * its folder stays: both hold the same.
 *
 * @param {string} folder
 * @param {string} place
 */
export async function keep(folder, place) {
  await mkdir(dirname(place), { recursive: true });
  try {
    await rename(folder, place);
  } catch (cause) {
    if (!existsSync(place)) throw new Error(`keep ${place}`, { cause });
  }
}
