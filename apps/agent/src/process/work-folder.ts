import { chmod, lstat, mkdir, open, rm } from 'node:fs/promises';
import { constants } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Run } from '@skerry/contracts';
import { isMissing } from '../files/atomic-file.js';

/** A replica's folder: what it runs in, its logs, and its last exit code. */
export function workFolder(root: string, id: string) {
  const base = join(root, id);
  return {
    base,
    cwd: join(base, 'cwd'),
    logs: join(base, 'logs'),
    exit: join(base, 'exit'),
    log: (stream: 'stdout' | 'stderr') => join(base, 'logs', `${stream}.log`),
  };
}
export type WorkFolder = ReturnType<typeof workFolder>;

/**
 * Makes the folder ready for a start: writes the workload's files; what the replica itself wrote before stays.
 * Throws, naming the path, when something there would lead a file elsewhere (a link that the replica made).
 */
export async function prepareFolder(folder: WorkFolder, run: Run): Promise<string> {
  await mkdir(folder.cwd, { recursive: true, mode: 0o700 });
  await mkdir(folder.logs, { recursive: true, mode: 0o700 });
  await rm(folder.exit, { force: true });
  for (const file of run.files) {
    await makeInner(folder.cwd, dirname(file.path));
    await writeInner(join(folder.cwd, file.path), file.content, Number.parseInt(file.mode, 8));
  }
  if (run.workingDir === undefined) return folder.cwd;
  await makeInner(folder.cwd, run.workingDir);
  return join(folder.cwd, run.workingDir);
}

/** Opens a log for appending, also by the copy-and-truncate of rotation. */
export async function openLog(folder: WorkFolder, stream: 'stdout' | 'stderr') {
  const { O_APPEND, O_CREAT, O_WRONLY, O_NOFOLLOW } = constants;
  return await open(folder.log(stream), O_APPEND | O_CREAT | O_WRONLY | O_NOFOLLOW, 0o600);
}

/** Makes folders below `root` one by one, and goes through no link. */
async function makeInner(root: string, path: string): Promise<void> {
  let at = root;
  for (const part of path.split('/').filter((p) => p !== '' && p !== '.')) {
    at = join(at, part);
    const found = await lstat(at).catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw error;
    });
    if (found === undefined) await mkdir(at, { mode: 0o755 });
    else if (!found.isDirectory()) throw new Error(`${at} is no folder`);
  }
}

async function writeInner(path: string, content: string, mode: number): Promise<void> {
  const { O_CREAT, O_NOFOLLOW, O_TRUNC, O_WRONLY } = constants;
  // A file that an earlier start wrote may be read-only by its own mode.
  await rm(path, { force: true });
  const file = await open(path, O_CREAT | O_NOFOLLOW | O_TRUNC | O_WRONLY, 0o600);
  try {
    await file.writeFile(content);
  } finally {
    await file.close();
  }
  await chmod(path, mode);
}
