import type { Bus } from '@skerry/bus';
import type { SkerryClient } from '@skerry/client';
import { BUCKETS, bucketStream, parseWorkloadKey, STREAMS } from '@skerry/contracts';

/** When each workload was asked for, committed as placed, and reported running; ms of the monotonic clock. */
export interface Timeline {
  applied: Map<string, number>;
  acknowledged: Map<string, number>;
  placed: Map<string, number>;
  running: Map<string, { replicas: number; at: number }>;
}

/** A mock workload of `replicas`: placed, delivered and reported like any other, but runs no process. */
export function mockDocument(name: string, replicas: number): unknown {
  return {
    apiVersion: 'skerry/v1',
    kind: 'Workload',
    metadata: { name, project: 'bench' },
    spec: {
      run: { driver: 'mock' },
      resources: { cpuMillicores: 1, memoryMiB: 1 },
      placement: {
        replicas,
        users: [
          { lat: 52.5, lon: 13.4, weight: 60 },
          { lat: 35.7, lon: 139.7, weight: 40 },
        ],
      },
    },
  };
}

/** Watches the streams themselves, as any reader of the bus can, and notes when what becomes true. */
export async function watchTimeline(bus: Bus): Promise<Timeline & { stop: () => Promise<void> }> {
  const timeline: Timeline = {
    applied: new Map(),
    acknowledged: new Map(),
    placed: new Map(),
    running: new Map(),
  };
  const placements = await bus.follow(
    bucketStream(BUCKETS.placements.name),
    (m) => {
      const key = m.subject.split('.').slice(2).join('.');
      const { project, name } = parseWorkloadKey(key);
      if (project !== 'bench' || timeline.placed.has(name)) return;
      if (field(m.json(), 'state') === 'placed') timeline.placed.set(name, performance.now());
    },
    { from: 'new' },
  );
  const perSite = new Map<string, number>();
  const observed = await bus.follow(
    STREAMS.OBSERVED.name,
    (m) => {
      const [, site, noun, project, name = ''] = m.subject.split('.');
      if (noun !== 'workload' || project !== 'bench') return;
      const reported = field(m.json(), 'replicas');
      const running = Array.isArray(reported)
        ? reported.filter((r) => field(r, 'phase') === 'running').length
        : 0;
      const key = `${name}@${site}`;
      const replicas = (timeline.running.get(name)?.replicas ?? 0) + running - (perSite.get(key) ?? 0);
      perSite.set(key, running);
      timeline.running.set(name, { replicas, at: performance.now() });
    },
    { from: 'new' },
  );
  return { ...timeline, stop: async () => void (await Promise.all([placements.drain(), observed.drain()])) };
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

/** Applies workloads, each as a command of its own, at most `inFlight` at once. */
export async function applyAll(
  client: SkerryClient,
  timeline: Timeline,
  names: readonly string[],
  inFlight: number,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    for (let name = names[next++]; name !== undefined; name = names[next++])
      await applyOne(client, timeline, name);
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
}

/** Applies workloads in folders of `size`, one command each, all at once. */
export async function applyFolders(
  client: SkerryClient,
  timeline: Timeline,
  names: readonly string[],
  size: number,
): Promise<void> {
  const folders = Array.from({ length: Math.ceil(names.length / size) }, (_, i) =>
    names.slice(i * size, (i + 1) * size),
  );
  await Promise.all(
    folders.map(async (folder) => {
      for (const name of folder) timeline.applied.set(name, performance.now());
      await client.apply({ documents: folder.map((name) => mockDocument(name, 1)) });
    }),
  );
}

/** Applies workloads at a steady rate, whatever the answers take: latencies without a queue of our own making. */
export async function applyPaced(
  client: SkerryClient,
  timeline: Timeline,
  names: readonly string[],
  perSecond: number,
): Promise<void> {
  const start = performance.now();
  const pending: Promise<void>[] = [];
  for (const [i, name] of names.entries()) {
    const due = start + (i * 1_000) / perSecond;
    const wait = due - performance.now();
    if (wait > 0) await new Promise((done) => setTimeout(done, wait));
    pending.push(applyOne(client, timeline, name));
  }
  await Promise.all(pending);
}

async function applyOne(client: SkerryClient, timeline: Timeline, name: string): Promise<void> {
  timeline.applied.set(name, performance.now());
  await client.apply({ documents: [mockDocument(name, 1)] });
  timeline.acknowledged.set(name, performance.now());
}

/** Milliseconds from apply to the moment that `at` gives, for each name that has one. */
export function latencies(
  timeline: Timeline,
  names: readonly string[],
  at: (name: string) => number | undefined,
): number[] {
  return names.flatMap((name) => {
    const [from, to] = [timeline.applied.get(name), at(name)];
    return from === undefined || to === undefined ? [] : [to - from];
  });
}
