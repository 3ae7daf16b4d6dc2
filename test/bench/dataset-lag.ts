import { setTimeout as sleep } from 'node:timers/promises';
import type { ConflictRule } from '@skerry/contracts';
import { DataCloud } from './dataset-cloud.js';
import type { PartContext } from './dataset-parts.js';
import { RawPath } from './dataset-raw.js';
import { percentile } from './report.js';

const RULES: readonly ConflictRule[] = ['newest', 'counter', 'set', 'keep-both', 'single-writer'];
const [FROM, TO] = ['one', 'two'];
/** Between two writes: the link is idle. */
const APART_MS = 10;
/** Writes that warm both ways up: until then code is not compiled. */
const WARM = 300;
const IN_FLIGHT = 64;
const RAW_IN_FLIGHT = 256;
const ARRIVED_MS = 120_000;
const VALUE = 'x'.repeat(256);

/** One way from a site to another, Skerry's or the raw one. */
interface Way {
  write: (key: string) => Promise<void>;
  /** Seen at the other site, and when. */
  seen: Map<string, number>;
}

/**
 * `data.lag_*`: from when a write is asked for at one site until it is readable at another, and the same over JetStream alone,
 * turn by turn. `data.bulk_*`: many writes, from the first until the last has come.
 */
export async function measureLag({ report, sizes, say, natsServer }: PartContext): Promise<void> {
  const cloud = await DataCloud.start([FROM, TO]);
  const raw = await RawPath.start(cloud.lab, natsServer, [FROM, TO]);
  try {
    await cloud.make({ ...Object.fromEntries(RULES.map((rule) => [rule, rule])), bulk: 'newest' });
    const rawSeen = new Map<string, number>();
    await raw.watch((subject, at) => rawSeen.set(subject.slice('raw.'.length), at));
    const rawWay: Way = { write: async (key) => await raw.publish(`raw.${key}`, VALUE), seen: rawSeen };
    const ratios: number[] = [];
    const all: number[] = [];
    for (const rule of RULES) {
      const { way, stop } = await ruleWay(cloud, rule);
      await inTurn([way, rawWay], `warm-${rule}`, WARM);
      const [lags = [], rawLags = []] = await inTurn([way, rawWay], `lag-${rule}`, sizes.lagWrites);
      stop();
      report.add(`data.lag_${rule}_ms_p50`, percentile(lags, 0.5), 'ms');
      report.add(`data.lag_${rule}_ms_p99`, percentile(lags, 0.99), 'ms');
      ratios.push(percentile(lags, 0.5) / percentile(rawLags, 0.5));
      all.push(...lags);
      say(`${rule}: ${percentile(lags, 0.5).toFixed(2)} ms, raw ${percentile(rawLags, 0.5).toFixed(2)} ms`);
    }
    report.add('data.lag_ms_p50', percentile(all, 0.5), 'ms');
    report.add('data.lag_ms_p99', percentile(all, 0.99), 'ms');
    report.add('data.lag_ratio_to_raw', Math.max(...ratios), 'x, the worst rule by its median');
    const rawRate = await atOnce(rawWay.write, sizes.bulkWrites, {
      inFlight: RAW_IN_FLIGHT,
      arrived: async () => [...rawSeen.keys()].filter((key) => key.startsWith('bulk-')).length,
    });
    const rate = await atOnce(
      async (key) => await cloud.door(FROM).put('bulk', key, VALUE),
      sizes.bulkWrites,
      {
        inFlight: IN_FLIGHT,
        arrived: async () => (await cloud.keysAt('bulk', TO)) ?? 0,
      },
    );
    report.add('data.bulk_raw_per_s', rawRate, '1/s');
    report.add('data.bulk_per_s', rate, '1/s');
    report.add('data.bulk_ratio_to_raw', rate / rawRate, 'x');
  } finally {
    await raw.end();
    await cloud.end();
  }
}

async function ruleWay(cloud: DataCloud, name: ConflictRule): Promise<{ way: Way; stop: () => void }> {
  const seen = new Map<string, number>();
  const stop = await cloud.door(TO).watch(name, (key, at) => seen.set(key, at));
  const from = cloud.door(FROM);
  const write = async (key: string) => {
    if (name === 'counter') await from.post(name, key, { count: 1 });
    else if (name === 'set') await from.post(name, key, { add: [VALUE.slice(0, 100)] });
    else await from.put(name, key, VALUE);
  };
  return { way: { write, seen }, stop };
}

/** ms from each write until it is seen, by each way: one write after the other, and the ways in turn, so that all have the same machine. */
async function inTurn(ways: readonly Way[], name: string, count: number): Promise<number[][]> {
  const began = ways.map(() => new Map<string, number>());
  for (let n = 0; n < count; n += 1)
    for (const [i, way] of ways.entries()) {
      const key = `${name}-${n}`;
      began[i]?.set(key, performance.now());
      await way.write(key);
      await sleep(APART_MS);
    }
  const all = () => ways.every(({ seen }, i) => [...(began[i]?.keys() ?? [])].every((key) => seen.has(key)));
  await until(all, `all of ${name} have come`);
  return ways.map(({ seen }, i) =>
    [...(began[i] ?? [])].map(([key, at]) => (seen.get(key) ?? Number.NaN) - at),
  );
}

/** Writes per second, from the first until all have come. */
async function atOnce(
  write: (key: string) => Promise<void>,
  count: number,
  { inFlight, arrived }: { inFlight: number; arrived: () => Promise<number> },
): Promise<number> {
  const beganAt = performance.now();
  let next = 0;
  const worker = async () => {
    while (next < count) await write(`bulk-${next++}`);
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  await until(async () => (await arrived()) >= count, 'all have come');
  return (count / (performance.now() - beganAt)) * 1_000;
}

async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + ARRIVED_MS;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${ARRIVED_MS} ms: ${what}`);
    await sleep(10);
  }
}
