import type { FileHandle } from 'node:fs/promises';

/**
 * Adds bytes to the end of a file of so many bytes, all or nothing; with `durable` it resolves when they are on the disk. One
 * writer a file.
 */
export async function appendWhole(
  file: FileHandle,
  bytes: Uint8Array,
  { at, durable }: { at: number; durable: boolean },
): Promise<void> {
  try {
    await writeWhole(file, bytes);
    if (durable) await file.datasync();
  } catch (cause) {
    await file.truncate(at).catch(() => undefined);
    throw cause;
  }
}

/** Writes all of it: one write of the system may take less. */
export async function writeWhole(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += (await file.write(bytes, at)).bytesWritten;
}
