import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { dirname } from 'node:path';
import { asKnownProcess, isRunning, startTimeOf, type KnownProcess } from './known-process.js';

/** Times that a lock left by a process that is gone is cleared away; more means that others are faster. */
const TRIES = 3;

/** A cloud runs from this folder, and would be torn down by a second start. */
export class CloudRunsAlready extends Error {
  override readonly name = 'CloudRunsAlready';
  constructor(home: string, pid: number) {
    super(
      `a cloud runs from ${home} already (process ${pid}): use that one, or end it with Ctrl-C where it runs; ` +
        'SKERRY_HOME=<another folder> starts a second one',
    );
  }
}

/**
 * Takes a cloud's folder for this process as long as it lives; throws `CloudRunsAlready` while another living process
 * (or this one) has it. What a killed process left is taken over. Returns how to give it back.
 */
export async function takeRunLock(path: string): Promise<() => Promise<void>> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const me = { pid: process.pid, startTime: startTimeOf(process.pid) ?? '' };
  for (let tries = 0; tries < TRIES; tries += 1) {
    if (await claim(path, me)) return () => rm(path, { force: true });
    const text = await readFile(path, 'utf8').catch(() => undefined);
    const holder = text === undefined ? undefined : holderIn(text);
    if (holder !== undefined && isRunning(holder)) throw new CloudRunsAlready(dirname(path), holder.pid);
    if (text !== undefined) await clearAway(path, text);
  }
  throw new Error(`another start of the cloud in ${dirname(path)} is under way: try again when it has ended`);
}

/** Appears whole or not at all: whoever reads it sees who holds it. */
async function claim(path: string, me: KnownProcess): Promise<boolean> {
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  await writeFile(draft, JSON.stringify(me), { mode: 0o600 });
  try {
    await link(draft, path);
    return true;
  } catch (cause) {
    if (isThere(cause)) return false;
    throw new Error(`take ${path}`, { cause });
  } finally {
    await rm(draft, { force: true });
  }
}

function isThere(cause: unknown): boolean {
  return typeof cause === 'object' && cause !== null && 'code' in cause && cause.code === 'EEXIST';
}

/** Removes a lock whose holder is gone, and no other: one that was taken in the meantime is put back. */
async function clearAway(path: string, stale: string): Promise<void> {
  const aside = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await rename(path, aside);
    if ((await readFile(aside, 'utf8')) !== stale) await link(aside, path);
  } catch {
    // Somebody else was faster; the next try shows who.
  } finally {
    await rm(aside, { force: true });
  }
}

function holderIn(text: string): KnownProcess | undefined {
  try {
    return asKnownProcess(JSON.parse(text));
  } catch {
    return undefined; // Damaged: nobody can be meant.
  }
}
