import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { errorCode } from './error-code.js';
import { identify, isAlive, type ProcessIdentity } from '../process/process-identity.js';

const identitySchema = z.object({ pid: z.number(), startTicks: z.number(), bootId: z.string() });
const TRIES = 3;

/**
 * Takes the folder for this process; throws, naming the other, when a living agent has it: two would run every
 * replica twice. A lock left by a process that is gone is taken over. Returns how to give it back.
 */
export async function lockFolder(path: string): Promise<() => Promise<void>> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  for (let n = 0; n < TRIES; n++) {
    if (await claim(path)) return async () => await rm(path, { force: true });
    const holder = await holderOf(path);
    if (holder !== undefined && isAlive(holder)) {
      throw new Error(`an agent runs in this folder already (process ${holder.pid}): stop it first`);
    }
    await rm(path, { force: true });
  }
  throw new Error(`cannot take the lock ${path}: another agent is starting`);
}

async function claim(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o600);
    await file.writeFile(JSON.stringify(identify(process.pid)));
    await file.close();
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

async function holderOf(path: string): Promise<ProcessIdentity | undefined> {
  try {
    return identitySchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}
