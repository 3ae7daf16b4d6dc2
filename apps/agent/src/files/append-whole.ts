import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';

/** Flags of a new file, or one that begins anew, that is only added to: its writes go to its end, also after it was cut. */
export const ANEW = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_APPEND;

/** Files with a piece at their end that could not be cut off. */
const torn = new WeakSet<FileHandle>();

/**
 * Adds bytes to the end of a file of so many bytes that was opened to be added to, all or nothing; with `durable` it resolves when
 * they are on the disk. One writer a file.
 */
export async function appendWhole(
  file: FileHandle,
  bytes: Uint8Array,
  { at, durable }: { at: number; durable: boolean },
): Promise<void> {
  // What is left of one that failed would make the next unreadable.
  if (torn.has(file)) await file.truncate(at);
  torn.delete(file);
  try {
    await writeWhole(file, bytes);
    if (durable) await file.datasync();
  } catch (cause) {
    await file.truncate(at).catch(() => torn.add(file));
    throw cause;
  }
}

/** Writes all of it: one write of the system may take less. */
export async function writeWhole(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += (await file.write(bytes, at)).bytesWritten;
}
