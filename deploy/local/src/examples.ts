import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SkerryClient } from '@skerry/client';
import type { Status } from '@skerry/contracts';
import type { LocalCloud } from './cloud.js';

const APPLY_TIMEOUT_MS = 30_000;
const RUN_TIMEOUT_MS = 90_000;
const POLL_MS = 150;

/** A client of a local cloud's api, with the token that the cloud made for this machine. */
export async function clientOf(cloud: LocalCloud): Promise<SkerryClient> {
  const context: unknown = JSON.parse(await readFile(cloud.paths.context, 'utf8'));
  if (
    typeof context !== 'object' ||
    context === null ||
    !('token' in context) ||
    typeof context.token !== 'string'
  ) {
    throw new Error(`${cloud.paths.context} holds no token: remove it and start again`);
  }
  return new SkerryClient({ url: cloud.apiUrl, token: context.token });
}

/** Applies every YAML file of a folder as one command. Applying what is there already changes nothing. */
export async function applyExamples(cloud: LocalCloud, folder: string, stopped: AbortSignal): Promise<void> {
  const client = await clientOf(cloud);
  const names = (await readdir(folder)).filter((n) => /\.ya?ml$/.test(n)).toSorted();
  const files = await Promise.all(
    names.map(async (name) => ({ name, text: await readFile(join(folder, name), 'utf8') })),
  );
  const deadline = Date.now() + APPLY_TIMEOUT_MS;
  for (;;) {
    stopped.throwIfAborted();
    try {
      await client.apply({ sources: files });
      return;
    } catch (cause) {
      if (Date.now() > deadline || !isPassing(cause)) throw cause;
      await pause(POLL_MS);
    }
  }
}

/** The statuses of all workloads, as soon as each runs (or has completed); after 90 s as they then are. `some`: there must be one. */
export async function waitUntilRunning(
  cloud: LocalCloud,
  options: { say: (line: string) => void; stopped: AbortSignal; some: boolean },
): Promise<Status[]> {
  const { say, stopped, some } = options;
  const client = await clientOf(cloud);
  const deadline = Date.now() + RUN_TIMEOUT_MS;
  for (;;) {
    stopped.throwIfAborted();
    const statuses: Status[] = [];
    for await (const status of client.status()) if (status.phase !== 'removed') statuses.push(status);
    const waiting = statuses.filter((s) => !SETTLED.has(s.phase));
    if (waiting.length === 0 && (statuses.length > 0 || !some)) return statuses;
    if (Date.now() > deadline) return statuses;
    const list = waiting.map((s) => `${s.name} ${s.phase} ${s.running}/${s.wanted}`).join(', ');
    say(`waiting until the workloads run: ${list === '' ? 'none known yet' : list}`);
    await pause(POLL_MS);
  }
}

const SETTLED: ReadonlySet<string> = new Set(['running', 'completed', 'stopped', 'unplaceable', 'failed']);

/** Conditions that pass by themselves while a cloud comes up. */
function isPassing(cause: unknown): boolean {
  if (typeof cause !== 'object' || cause === null) return false;
  if ('name' in cause && cause.name === 'Unreachable') return true;
  return (
    'problem' in cause &&
    typeof cause.problem === 'object' &&
    cause.problem !== null &&
    'code' in cause.problem &&
    (cause.problem.code === 'unavailable' || cause.problem.code === 'timeout')
  );
}

const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));
