import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode } from './error-code.js';

/**
 * Replaces a file as a whole: a reader, also one after a crash, sees the old text or the new one. With `durable`
 * (default) it resolves when both the text and its name are on the disk, the name by `nameIsKept` (default: a sync of its
 * folder). Mode 0600. One writer a path at a time.
 */
export async function writeAtomic(
  path: string,
  text: string,
  options: { durable?: boolean; nameIsKept?: () => Promise<void> } = {},
): Promise<void> {
  const { durable = true, nameIsKept = async () => await syncFolder(dirname(path)) } = options;
  const draft = `${path}.new`;
  const file = await open(draft, 'w', 0o600);
  try {
    await file.writeFile(text);
    if (durable) await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
  if (durable) await nameIsKept();
}

/** Removes a file, and makes that last. Missing is fine. */
export async function removeDurably(path: string): Promise<void> {
  await rm(path, { force: true });
  await syncFolder(dirname(path));
}

/** The JSON in a file; undefined when there is no file. Throws when it is no JSON. */
export async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
  return text === undefined ? undefined : JSON.parse(text);
}

/** Whether an error of the file system says that there is no such file. */
export function isMissing(error: unknown): boolean {
  return errorCode(error) === 'ENOENT';
}

/** Makes last what was renamed, made or removed in a folder. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
