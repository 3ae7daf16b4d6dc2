import { randomBytes } from 'node:crypto';
import { access, link, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

const GROUP_OR_OTHERS = 0o077;
/** Largest secret file that is read; a creds file has about 2 KiB. */
const MAX_BYTES = 256 * 1024;

/**
 * Writes a file that only its owner may read (mode 0600), whole or not at all: a reader sees the old text or
 * the new one, also after a crash. Missing folders are made with mode 0700.
 */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  await withDraft(path, text, async (draft) => await rename(draft, path));
}

/** As `writePrivateFile`, but leaves a file that is there as it is, also when two do this at once. True when it wrote. */
export async function createPrivateFile(path: string, text: string): Promise<boolean> {
  if (await isThere(path)) return false;
  let created = true;
  await withDraft(path, text, async (draft) => {
    await link(draft, path).catch((cause: unknown) => {
      if (!isCode(cause, 'EEXIST')) throw cause;
      created = false;
    });
    await rm(draft);
  });
  return created;
}

/** Writes the text beside `path` and lets `place` put it there; nothing is left behind when that fails. */
async function withDraft(path: string, text: string, place: (draft: string) => Promise<void>): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.chmod(0o600); // The umask may have taken bits away from the owner too.
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await place(draft);
  } catch (cause) {
    await rm(draft, { force: true });
    throw new Error(`write ${path}`, { cause });
  }
  await syncFolder(folder);
}

/**
 * Reads a file that holds a secret. Throws, naming the file and the remedy but never the content, when it is
 * missing, larger than `maxBytes` (default 256 KiB), no plain file, or readable by the group or others.
 */
export async function readPrivateFile(path: string, maxBytes = MAX_BYTES): Promise<string> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw new Error(`read ${path}`, { cause });
  });
  try {
    const { mode, size } = await file.stat().then((stat) => {
      if (!stat.isFile()) throw new Error(`${path} is not a plain file`);
      return stat;
    });
    if ((mode & GROUP_OR_OTHERS) !== 0) {
      const found = (mode & 0o777).toString(8).padStart(4, '0');
      throw new Error(`${path} holds a secret and has mode ${found}: run chmod 600 on it`);
    }
    if (size > maxBytes) throw new Error(`${path} is larger than ${maxBytes} bytes`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

/** Makes the rename itself survive a power loss. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Whether there is something at this path. */
export async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

function isCode(error: unknown, code: string): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === code;
}
