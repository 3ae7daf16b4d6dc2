import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SkerryClient } from '@skerry/client';
import type { Status } from '@skerry/contracts';
import type { LocalCloud } from './cloud.js';
import { writeCloudFile } from './cloud-file.js';
import { accepts } from './ports.js';

const APPLY_TIMEOUT_MS = 30_000;
const SITES_TIMEOUT_MS = 20_000;
const RUN_TIMEOUT_MS = 90_000;
/** A workload that keeps ending, or listens where nobody can connect, holds nobody up for longer. */
const PATIENCE_MS = 15_000;
const POLL_MS = 150;
const ANSWER_TIMEOUT_MS = 1_000;
/** Addresses that are tried; with more, the others are believed. */
const MAX_ASKED = 64;

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

/**
 * Applies every YAML file of a folder as one command, once in the life of a cloud: what was changed or removed since
 * stays so. Answers whether it did. Waits before until the sites are there (20 s at most), so that all can be chosen.
 */
export async function applyExamples(
  cloud: LocalCloud,
  folder: string,
  options: { say: (line: string) => void; stopped: AbortSignal },
): Promise<boolean> {
  if (cloud.file.examplesApplied === true) return false;
  const { say, stopped } = options;
  const client = await clientOf(cloud);
  await patiently(
    SITES_TIMEOUT_MS,
    stopped,
    async () => await client.sites(),
    (views) => {
      const ready = new Set(views.filter((v) => v.state?.phase === 'ready').map((v) => v.site.name));
      const missing = cloud.siteNames.filter((name) => !ready.has(name));
      if (missing.length > 0) say(`waiting for the sites: ${missing.join(', ')}`);
      return missing.length === 0;
    },
  );
  say('applying the examples');
  const names = (await readdir(folder)).filter((n) => /\.ya?ml$/.test(n)).toSorted();
  const files = await Promise.all(
    names.map(async (name) => ({ name, text: await readFile(join(folder, name), 'utf8') })),
  );
  await patiently(APPLY_TIMEOUT_MS, stopped, async () => await client.apply({ sources: files }));
  cloud.file.examplesApplied = true;
  await writeCloudFile(cloud.paths.cloudFile, cloud.file);
  return true;
}

/**
 * Asks until the answer is as wanted, or the time is over; what passes by itself while a cloud comes up is asked again.
 * Throws what else goes wrong, and what still does when the time is over.
 */
async function patiently<T>(
  forMs: number,
  stopped: AbortSignal,
  ask: () => Promise<T>,
  isAsWanted: (answer: T) => boolean = () => true,
): Promise<void> {
  const deadline = Date.now() + forMs;
  for (;;) {
    stopped.throwIfAborted();
    try {
      if (isAsWanted(await ask()) || Date.now() > deadline) return;
    } catch (cause) {
      if (Date.now() > deadline || !isPassing(cause)) throw cause;
    }
    await pause(POLL_MS);
  }
}

/**
 * The statuses of all workloads, as soon as each runs (or has completed) and answers at its addresses on this machine:
 * what was reported before the last stop may say otherwise for a moment. After 15 s what is in trouble is taken as it
 * is, after 90 s everything. `some`: there must be one.
 */
export async function waitUntilRunning(
  cloud: LocalCloud,
  options: { say: (line: string) => void; stopped: AbortSignal; some: boolean },
): Promise<Status[]> {
  const { say, stopped, some } = options;
  const client = await clientOf(cloud);
  const beganAt = Date.now();
  for (;;) {
    stopped.throwIfAborted();
    const statuses: Status[] = [];
    for await (const status of client.status()) if (status.phase !== 'removed') statuses.push(status);
    const waitedMs = Date.now() - beganAt;
    const waiting = await notYet(statuses, cloud, waitedMs > PATIENCE_MS);
    if (waiting.length === 0 && (statuses.length > 0 || !some)) return statuses;
    if (waitedMs > RUN_TIMEOUT_MS) return statuses;
    say(`waiting until the workloads run: ${waiting.length === 0 ? 'none known yet' : waiting.join(', ')}`);
    await pause(POLL_MS);
  }
}

/** What is still waited for, each in some words. */
async function notYet(statuses: readonly Status[], cloud: LocalCloud, late: boolean): Promise<string[]> {
  const unsettled = statuses.filter((s) => !SETTLED.has(s.phase) && !(late && s.phase === 'degraded'));
  const silent = late ? [] : await silentReplicas(statuses, cloud);
  return [
    ...unsettled.map((s) => `${s.name} ${s.phase} ${s.running}/${s.wanted}`),
    ...silent.map(({ id, address }) => `${id} at ${address}`),
  ];
}

/** Replicas on this machine that are said to run and do not answer. */
async function silentReplicas(statuses: readonly Status[], cloud: LocalCloud) {
  const here = new Set(cloud.siteNames);
  const told = statuses
    .flatMap((status) => status.sites.filter(({ site }) => here.has(site)))
    .flatMap((site) => site.replicas.filter(({ phase }) => phase === 'running'))
    .flatMap(({ id, addresses }) => Object.values(addresses).map((address) => ({ id, address })))
    .slice(0, MAX_ASKED);
  const answers = await Promise.all(told.map(({ address }) => accepts(address, ANSWER_TIMEOUT_MS)));
  return told.filter((_, i) => answers[i] !== true);
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
