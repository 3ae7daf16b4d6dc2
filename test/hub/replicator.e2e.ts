import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { JETSTREAM_API, STREAMS } from '@skerry/contracts';
import type { FakeSite } from './fake-site.js';
import { HubLab, type AppProcess } from './hub-lab.js';
import { placement, report, until, version, workload } from './nouns.js';

const DL = STREAMS.DL.name;
/** How soon a site has to hold what is wanted after the hub or its stream came back. */
const CATCH_UP_MS = 10_000;

let lab: HubLab;
let replicator: AppProcess;
let a: FakeSite;
let b: FakeSite;

const start = () => lab.startApp('replicator', { SKERRY_GUARD_EVERY_MS: '300' });
const decide = (name: string, revision: number, shares: Record<string, number>) =>
  lab.decide(workload(name), placement(name, version(1, revision), shares));
const holds = (site: FakeSite, name: string, what: string | undefined, withinMs?: number) =>
  until(`${site.name} holds ${what} of ${name}`, () => site.has(name) === what, withinMs);

beforeAll(async () => {
  lab = await HubLab.start(['a', 'b']);
  await lab.startApp('inventory');
  replicator = await start();
  a = await lab.fakeSite('a');
  b = await lab.fakeSite('b');
}, 60_000);
afterAll(() => lab.stop());

describe('the replicator, with real sites', () => {
  it('brings each site its part, whole, and no other site’s', async () => {
    await decide('web', 1, { a: 2, b: 1 });
    await decide('only-b', 1, { b: 1 });
    await holds(a, 'web', 'Assignment 1.1');
    await holds(b, 'only-b', 'Assignment 1.1');
    expect(a.held.get('shop.web')).toMatchObject({ site: 'a', replicas: 2, run: { driver: 'mock' } });
    expect(b.held.get('shop.web')).toMatchObject({ site: 'b', replicas: 1 });
    expect(a.has('only-b')).toBeUndefined();
  });

  it('takes away by a tombstone, kept until the site has carried it out', async () => {
    await decide('moved', 1, { a: 1 });
    await holds(a, 'moved', 'Assignment 1.1');
    await decide('moved', 2, { b: 1 });
    await holds(a, 'moved', 'Tombstone 1.2');
    await holds(b, 'moved', 'Assignment 1.2');
    expect(await subjectsOf('desired.a.assignment.shop.moved')).toBe(1);
    const absent = report('moved', 'a', version(1, 2), { state: 'absent', wanted: 0, replicas: [] });
    expect(await a.report(absent)).toEqual({ ok: true });
    await until(
      'the tombstone is gone',
      async () => (await subjectsOf('desired.a.assignment.shop.moved')) === 0,
    );
  });

  it('never lets an older decision replace a newer one', async () => {
    await decide('newest', 5, { a: 3 });
    await holds(a, 'newest', 'Assignment 1.5');
    await decide('newest', 4, { a: 1 });
    await decide('later', 1, { a: 1 });
    await holds(a, 'later', 'Assignment 1.1');
    expect(a.has('newest')).toBe('Assignment 1.5');
  });

  it('answers a digest with what the site lacks, buries what nobody wants, and names what it does not know', async () => {
    await decide('lacking', 1, { a: 1 });
    await decide('unwanted', 7, { b: 1 });
    await holds(a, 'lacking', 'Assignment 1.1');
    const web = a.held.get('shop.web');
    if (web?.kind !== 'Assignment') throw new Error('web is not held');
    a.held.delete('shop.lacking');
    a.held.set('shop.unwanted', { ...web, name: 'unwanted', version: version(1, 6) });
    a.held.set('shop.strange', { ...web, name: 'strange', version: version(1, 1) });
    // The replicator may not have heard of the newest placement yet.
    await until('it knows all but one', async () => (await a.digest()).unknown.join() === 'shop.strange');
    expect(a.has('lacking')).toBe('Assignment 1.1');
    expect(a.has('unwanted')).toBe('Tombstone 1.7');
    a.held.delete('shop.strange');
  });

  it('asks a site that does not say what it acts on, and mends what it missed', async () => {
    await decide('missed', 1, { a: 1 });
    await holds(a, 'missed', 'Assignment 1.1');
    a.held.delete('shop.missed');
    await holds(a, 'missed', 'Assignment 1.1', CATCH_UP_MS);
  });

  it('goes on by another instance when the active one is killed', async () => {
    const second = await start();
    await lab.end(replicator);
    replicator = second;
    await decide('takeover', 1, { a: 1, b: 1 });
    await holds(a, 'takeover', 'Assignment 1.1');
    await holds(b, 'takeover', 'Assignment 1.1');
  });

  it('reaches the sites again after the hub was killed and came back', async () => {
    await lab.cloud.restartHub();
    await decide('after-restart', 1, { a: 1, b: 1 });
    await holds(a, 'after-restart', 'Assignment 1.1', CATCH_UP_MS);
    await holds(b, 'after-restart', 'Assignment 1.1', CATCH_UP_MS);
  });

  it('makes DL anew when it was wiped, and the sites hear it', async () => {
    await lab.admin.request(JETSTREAM_API.streamDelete(DL), {});
    await decide('after-wipe', 1, { a: 1, b: 1 });
    await holds(a, 'after-wipe', 'Assignment 1.1', CATCH_UP_MS);
    await holds(b, 'after-wipe', 'Assignment 1.1', CATCH_UP_MS);
    expect(await subjectsOf('desired.a.>')).toBeGreaterThan(3);
    await until('it says so', () => replicator.log().includes('DL is made anew'));
  });

  it('makes DL anew when an older copy was restored, and the sites hear it', async () => {
    await restoreOlderCopy('before-copy', async () => undefined);
    await decide('after-restore', 1, { a: 1, b: 1 });
    await holds(a, 'after-restore', 'Assignment 1.1', CATCH_UP_MS);
    await holds(b, 'after-restore', 'Assignment 1.1', CATCH_UP_MS);
    await decide('after-restore', 2, { a: 1, b: 1 });
    await holds(a, 'after-restore', 'Assignment 1.2', CATCH_UP_MS);
    await holds(b, 'after-restore', 'Assignment 1.2', CATCH_UP_MS);
  });

  it('reaches the sites after an older copy was restored while it was away', async () => {
    await restoreOlderCopy('before-copy-2', async () => void (await lab.end(replicator)));
    replicator = await start();
    await decide('after-blind-restore', 1, { a: 1, b: 1 });
    await holds(a, 'after-blind-restore', 'Assignment 1.1', CATCH_UP_MS);
    await holds(b, 'after-blind-restore', 'Assignment 1.1', CATCH_UP_MS);
    await decide('after-blind-restore', 2, { a: 1, b: 1 });
    await holds(b, 'after-blind-restore', 'Assignment 1.2', CATCH_UP_MS);
  });

  it('learns of an older copy from a site that got more than there is', async () => {
    // A site is believed once an hour, and this one may have said so after the older copies above.
    await lab.end(replicator);
    replicator = await start();
    const { lastSequence = 0 } = (await lab.admin.streamState(DL)) ?? {};
    a.claim(lastSequence + 500);
    await until('the digest is answered', () =>
      a.digest().then(
        () => true,
        () => false,
      ),
    );
    await until('DL is above it', async () => {
      const state = await lab.admin.streamState(DL).catch(() => undefined);
      return (state?.lastSequence ?? 0) >= lastSequence + 500;
    });
    await decide('after-claim', 1, { b: 1 });
    await holds(b, 'after-claim', 'Assignment 1.1', CATCH_UP_MS);
  });

  it('does not believe a site twice', async () => {
    const { lastSequence = 0 } = (await lab.admin.streamState(DL)) ?? {};
    a.claim(lastSequence + 500);
    await until('the digest is answered', () =>
      a.digest().then(
        () => true,
        () => false,
      ),
    );
    await until('it is not believed', () => replicator.log().includes('which is not believed'));
    expect((await lab.admin.streamState(DL))?.lastSequence).toBeLessThan(lastSequence + 500);
  });

  it('lets a singleton begin only when the one before has ended it, though DL was wiped while it was away', async () => {
    await decide('lead', 1, { a: 1 });
    await holds(a, 'lead', 'Assignment 1.1');
    expect(await a.report(report('lead', 'a', version(1, 1)))).toEqual({ ok: true });
    await lab.end(replicator);
    await lab.admin.request(JETSTREAM_API.streamDelete(DL), {});
    const moved = placement('lead', version(1, 2), { b: 1 });
    await lab.decide(workload('lead'), { ...moved, after: ['a'] });
    replicator = await start();
    await holds(a, 'lead', 'Tombstone 1.2', CATCH_UP_MS);
    expect(b.has('lead')).toBeUndefined();
    const absent = report('lead', 'a', version(1, 2), {
      state: 'absent',
      wanted: 0,
      replicas: [],
      report: 2,
    });
    expect(await a.report(absent)).toEqual({ ok: true });
    await holds(b, 'lead', 'Assignment 1.2', CATCH_UP_MS);
  });

  it('tells a site that leaves to go, once nothing is left there, and clears up behind it', async () => {
    const names = [...b.held.keys()].map((key) => key.slice('shop.'.length));
    await lab.putSite('b', { membership: 'leaving', generation: 2 });
    for (const name of names) await decide(name, 100, { a: 1 });
    for (const name of names) await holds(b, name, 'Tombstone 1.100');
    expect(b.retired).toBe(false);
    for (const name of names) {
      const gone = report(name, 'b', version(1, 100), {
        state: 'absent',
        wanted: 0,
        replicas: [],
        report: 9,
      });
      expect(await b.report(gone)).toEqual({ ok: true });
    }
    await until('b is told to go', () => b.retired);
    await lab.putSite('b', { membership: 'removed', generation: 3 });
    await until('nothing is kept for b', async () => (await subjectsOf('desired.b.>')) === 0);
    const consumer = JETSTREAM_API.consumerInfo(DL, lab.cloud.site('b').account);
    const answer = await lab.admin.request(consumer, {});
    expect(answer.json()).toHaveProperty('error');
  });
});

/** Messages that `DL` has on subjects of this form. */
async function subjectsOf(filter: string): Promise<number> {
  const answer = (await lab.admin.request(JETSTREAM_API.streamInfo(DL), { subjects_filter: filter })).json();
  const state = at(answer, 'state');
  return Object.keys(at(state, 'subjects') ?? {}).length;
}

function at(value: unknown, key: string): object | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const inner: unknown = Reflect.get(value, key);
  return typeof inner === 'object' && inner !== null ? inner : undefined;
}

/** Copies `DL` as it is, goes on, and puts the copy back while the hub is down; `before` runs before it goes down. */
async function restoreOlderCopy(name: string, before: () => Promise<void>): Promise<void> {
  const store = (folder: string) => join(folder, 'js', 'jetstream', lab.cloud.cloud.publicKey, 'streams', DL);
  const copy = join(lab.cloud.folder, `${name}.copy`);
  await decide(name, 1, { a: 1, b: 1 });
  await holds(a, name, 'Assignment 1.1');
  await lab.cloud.restartHub(async (folder) => cp(store(folder), copy, { recursive: true }));
  await decide(name, 2, { a: 2, b: 2 });
  await holds(a, name, 'Assignment 1.2', CATCH_UP_MS);
  await holds(b, name, 'Assignment 1.2', CATCH_UP_MS);
  await before();
  await lab.cloud.restartHub(async (folder) => {
    await rm(store(folder), { recursive: true });
    await cp(copy, store(folder), { recursive: true });
  });
}
