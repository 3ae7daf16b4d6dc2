import { setTimeout as sleep } from 'node:timers/promises';
import { DataCloud, dataset } from './dataset-cloud.js';
import type { PartContext } from './dataset-parts.js';
import { residentMiB } from './resident-memory.js';

const [FROM, TO] = ['one', 'two'];
const NAME = 'fill';
const VALUE = 'x'.repeat(64);
const IN_FLIGHT = 64;
const WITHIN_MS = 600_000;
const LOOK_MS = 50;
/** A write at the old site while the new one is filled: how long it takes then. */
const PROBE_MS = 100;
const BYTES = 256 * 1024 * 1024;

/**
 * `data.fill_*`: a dataset that is at one site, with so many keys of 64 bytes, is wanted at another too: from the request until that has
 * all of it and the same digest; the memory of who gives and who takes, and how long a write at the first site takes meanwhile.
 */
export async function fillSite({ report, sizes, say }: PartContext): Promise<void> {
  const cloud = await DataCloud.start([FROM, TO]);
  try {
    const limits = { keys: 2 * sizes.fillKeys, bytes: BYTES };
    const at = (sites: string[]) => [dataset(NAME, { limits, copies: { at: 'matching', sites } })];
    await cloud.client.apply({ documents: at([FROM]) });
    await until(async () => (await cloud.keysAt(NAME, FROM).catch(() => undefined)) !== undefined, 'a copy');
    await write(cloud, sizes.fillKeys);
    await until(async () => (await sent(cloud)) === 0, 'the hub has all');
    say(`${sizes.fillKeys} keys at one site`);
    const memory = memoryOf(cloud);
    const beganAt = performance.now();
    await cloud.client.apply({ documents: at([FROM, TO]) });
    const writes = probe(cloud);
    await until(async () => await isSame(cloud, sizes.fillKeys), 'the other site has all');
    const tookMs = performance.now() - beganAt;
    const slowest = await writes();
    const most = memory();
    report.add('data.fill_s', tookMs / 1_000, 's');
    report.add('data.fill_keys_per_s', (sizes.fillKeys / tookMs) * 1_000, '1/s');
    report.add('data.fill_replicator_rss_mib', most.replicator, 'MiB');
    report.add('data.fill_agent_rss_mib', most.agent, 'MiB');
    report.add('data.fill_write_ms_max', slowest, 'ms');
  } finally {
    await cloud.end();
  }
}

async function write(cloud: DataCloud, keys: number): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < keys) await cloud.door(FROM).put(NAME, `key-${next++}`, VALUE);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
}

async function sent(cloud: DataCloud): Promise<number | undefined> {
  const { copies } = await cloud.where(NAME);
  return copies.find(({ site }) => site === FROM)?.state?.unsent;
}

async function isSame(cloud: DataCloud, keys: number): Promise<boolean> {
  const { copies } = await cloud.where(NAME);
  const states = copies.flatMap(({ state }) => (state === undefined ? [] : [state]));
  const [first, second] = states;
  return states.length === 2 && (second?.keys ?? 0) >= keys && first?.digest === second?.digest;
}

/** Writes one key again and again until it is called: then the longest that one took, ms. */
function probe(cloud: DataCloud): () => Promise<number> {
  const ends = new AbortController();
  let slowest = 0;
  const done = (async () => {
    while (!ends.signal.aborted) {
      const beganAt = performance.now();
      await cloud.door(FROM).put(NAME, 'probe', 'same');
      slowest = Math.max(slowest, performance.now() - beganAt);
      await sleep(PROBE_MS);
    }
  })();
  return async () => {
    ends.abort();
    await done;
    return slowest;
  };
}

/** Looks from now on; when called, the most that each had. */
function memoryOf(cloud: DataCloud): () => { replicator: number; agent: number } {
  const { supervisor } = cloud.under.cloud;
  const most = { replicator: 0, agent: 0 };
  const timer = setInterval(() => {
    most.replicator = Math.max(most.replicator, residentMiB(supervisor.pid('replicator')));
    most.agent = Math.max(most.agent, residentMiB(supervisor.pid(`agent-${TO}`)));
  }, LOOK_MS);
  return () => {
    clearInterval(timer);
    return most;
  };
}

async function until(holds: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + WITHIN_MS;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${WITHIN_MS} ms: ${what}`);
    await sleep(LOOK_MS);
  }
}
