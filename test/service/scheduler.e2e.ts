import type { ChildProcess } from 'node:child_process';
import { resolve } from 'node:path';
import type { Bus, BucketChange, Following } from '@skerry/bus';
import {
  BUCKETS,
  EPOCH_KEY,
  eventSubject,
  placementSchema,
  RPC,
  exampleSite,
  exampleWorkload,
  siteSchema,
  siteStateSchema,
  STREAMS,
  whySchema,
  workloadSchema,
  workloadSpecSchema,
  type Placement,
} from '@skerry/contracts';
import { z } from 'zod';
import { Hub } from './hub.js';
import { until } from './plain-server.js';

const PROGRAM = resolve(import.meta.dirname, '../../apps/scheduler/dist/main.js');
const AT = '2026-01-01T00:00:00.000Z';

interface Scheduler {
  child: ChildProcess;
  output: () => string;
}

let hub: Hub;
let admin: Bus;
let following: Following;
let announced: Following;
/** Subjects of `EVT` in the order of the stream. */
const events: string[] = [];
/** Every write of `placements` in the order of the stream. */
const writes: { key: string; revision: number; placement: Placement | undefined }[] = [];

beforeAll(async () => {
  hub = await Hub.start();
  admin = await hub.bus('admin');
  for (const stream of Object.values(STREAMS)) await admin.ensureStream(stream);
  for (const bucket of Object.values(BUCKETS)) await admin.ensureBucket(bucket);
  following = await admin.bucket(BUCKETS.placements, (v) => z.unknown().parse(v)).follow(record);
  announced = await admin.follow(STREAMS.EVT.name, (m) => void events.push(m.subject));
});
afterAll(async () => {
  await Promise.all([following, announced].map((f) => f?.drain()));
  await hub?.stop();
});

function record(change: BucketChange<unknown>): void {
  if (change.kind !== 'put') return;
  const placement = change.key === EPOCH_KEY ? undefined : placementSchema.parse(change.value);
  writes.push({ key: change.key, revision: change.revision, placement });
}

function start(instance: string): Scheduler {
  return hub.run([PROGRAM], {
    SKERRY_NATS_URL: hub.url,
    SKERRY_NATS_CREDS: hub.creds('scheduler'),
    SKERRY_INSTANCE: instance,
  });
}

const told = (scheduler: Scheduler, what: string) => scheduler.output().split(what).length - 1;
const holds = (scheduler: Scheduler) =>
  until(() => told(scheduler, '"holds lease scheduler"') > 0, 'a scheduler holds the lease', 15_000);
const started = (scheduler: Scheduler) =>
  until(() => told(scheduler, '"message":"started"') > 0, 'a scheduler has started', 15_000).catch(
    (cause: unknown) => {
      throw new Error(scheduler.output().slice(-2_000), { cause });
    },
  );

/** A site with one node of so many cores. */
async function putSite(name: string, cores: number): Promise<void> {
  const shape = { nodes: 1, cpuMillicores: cores * 1_000, memoryMiB: 65_536, diskMiB: 0 };
  await admin
    .bucket(BUCKETS.siteStates, (v) => siteStateSchema.parse(v))
    .set(name, {
      kind: 'SiteState',
      site: name,
      phase: 'ready',
      since: AT,
      capacity: { shapes: [shape], drivers: ['mock'] },
      nodes: 1,
      revision: 1,
    });
  await admin
    .bucket(BUCKETS.siteSpecs, (v) => siteSchema.parse(v))
    .set(name, exampleSite(name, { location: { lat: 50, lon: 8 } }));
}

/** A workload of one replica of one core at one site. */
async function putWorkload(name: string, site: string): Promise<void> {
  await admin
    .bucket(BUCKETS.workloads, (v) => workloadSchema.parse(v))
    .set(
      `shop.${name}`,
      exampleWorkload({
        name,
        spec: workloadSpecSchema.parse({
          run: { driver: 'mock' },
          resources: { cpuMillicores: 1_000, memoryMiB: 1 },
          placement: { sites: { required: { name: site } } },
        }),
      }),
    );
}

const names = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

/** The newest placement of each workload with this prefix. */
function newest(prefix: string): Placement[] {
  const byKey = new Map<string, Placement>();
  for (const { key, placement } of writes) if (placement) byKey.set(key, placement);
  return [...byKey].filter(([key]) => key.startsWith(`shop.${prefix}`)).map(([, p]) => p);
}
const running = (placements: Placement[]) => placements.filter((p) => p.shares.length > 0).length;

const epochs = () => writes.filter(({ key }) => key === EPOCH_KEY).length;

/** Every decision lies after the epoch it names and before the next one: nobody wrote who had been taken over. */
function expectFenced(): void {
  let epoch = 0;
  for (const { key, revision, placement } of writes) {
    if (key === EPOCH_KEY) epoch = revision;
    else expect(placement?.epoch).toBe(epoch);
  }
}

describe('a scheduler with the permissions of its own user', () => {
  it('announces what it decides, and explains it to the api', async () => {
    const scheduler = start('e0');
    await started(scheduler);
    await putSite('calm', 2);
    await putWorkload('event0', 'calm');
    await until(() => running(newest('event')) === 1, 'it is placed', 15_000);
    const subject = eventSubject('workload.placed', 'event0', 'shop');
    await until(() => events.includes(subject), 'it is announced');
    const api = await hub.bus('api');
    const why = whySchema.parse((await api.request(RPC.why, { project: 'shop', name: 'event0' })).json());
    expect(why.sites.map((site) => [site.site, site.chosen])).toEqual([['calm', 1]]);
    expect(await hub.end(scheduler.child, 'SIGTERM')).toBe(0);
  });
});

describe('schedulers on a real hub', () => {
  it('explain a decision that another one made before it was killed, from what it recorded', async () => {
    const first = start('h0');
    await started(first);
    await holds(first);
    await putSite('noted', 3);
    for (const name of names('note', 3)) await putWorkload(name, 'noted');
    await until(() => running(newest('note')) === 3, 'all are placed', 15_000);
    await hub.end(first.child, 'SIGKILL');
    const second = start('h1');
    await started(second);
    await holds(second);
    await putSite('noted-too', 1);
    await putWorkload('note3', 'noted-too');
    await until(() => newest('note3').length === 1, 'the next one is decided', 15_000);
    const api = await hub.bus('api');
    for (const { name } of newest('note')) {
      const answer = await api.request(RPC.why, { project: 'shop', name, revision: 1 });
      const why = whySchema.parse(answer.json());
      expect([name, why.from, why.reproduced]).toEqual([name, 'recorded', true]);
      expect(why.inputsChanged).toBe(name !== 'note3');
    }
    await hub.end(second.child, 'SIGTERM');
  });

  it('give the last free capacity to exactly as many as fit, while the active one is killed in the middle', async () => {
    await putSite('small', 5);
    let active = start('k0');
    await started(active);
    await holds(active);
    const wanted = names('race', 40);
    const half = wanted.slice(0, 20).map((name) => putWorkload(name, 'small'));
    const standby = start('k1');
    await started(standby);
    await Promise.all(half);
    // In the middle of the next ones.
    const rest = wanted.slice(20).map((name) => putWorkload(name, 'small'));
    await hub.end(active.child, 'SIGKILL');
    active = standby;
    await holds(active);
    await Promise.all(rest);
    await until(() => newest('race').length === wanted.length, 'all are decided', 15_000);
    expect(running(newest('race'))).toBe(5);
    expectFenced();
    await hub.end(active.child, 'SIGTERM');
  });

  it('commit nothing when they were stopped past their lease and go on', async () => {
    await putSite('other', 3);
    const paused = start('p0');
    await started(paused);
    await holds(paused);
    await putWorkload('pause0', 'other');
    await until(() => running(newest('pause')) === 1, 'the first is placed');
    const next = start('p1');
    await started(next);
    paused.child.kill('SIGSTOP');
    // What it has not read yet waits for it in its socket; the other one decides it.
    await Promise.all(names('pause', 6).map((name) => putWorkload(name, 'other')));
    await holds(next);
    await until(() => newest('pause').length === 6, 'the other one has decided', 15_000);
    const before = writes.length;
    paused.child.kill('SIGCONT');
    await until(() => told(paused, 'no longer holds lease') > 0, 'it has seen that its time is over');
    await putWorkload('pause6', 'other');
    await until(() => newest('pause').length === 7, 'the active one goes on');
    // On a busy machine the lease may change hands again, which is no decision.
    const decided = writes.slice(before).flatMap(({ key }) => (key === EPOCH_KEY ? [] : [key]));
    expect(decided).toEqual(['shop.pause6']);
    expect(running(newest('pause'))).toBe(3);
    expectFenced();
    await Promise.all([paused, next].map((s) => hub.end(s.child, 'SIGTERM')));
  });

  it('are refused by the server when they believe in a lease that another has', async () => {
    const before = epochs();
    const first = start('f0');
    await started(first);
    // Holding the lease is not enough: an intruder that comes before its epoch would only be taken over.
    await until(() => epochs() > before, 'it may write', 15_000);
    // As a second active scheduler would: a new epoch while the first still holds its lease.
    const bucket = admin.bucket(BUCKETS.placements, (v) => z.unknown().parse(v));
    const fence = await bucket.set(EPOCH_KEY, { kind: 'Epoch', instance: 'intruder', at: AT });
    await putSite('third', 1);
    await putWorkload('fence0', 'third');
    await until(() => told(first, 'another instance has taken over') > 0, 'it was refused');
    // It holds the lease, so it takes over again, with an epoch of its own.
    const placement = await until(() => newest('fence')[0], 'it decides again', 15_000);
    expect(placement.epoch).toBeGreaterThan(fence);
    expectFenced();
    expect(await hub.end(first.child, 'SIGTERM')).toBe(0);
  });
});
