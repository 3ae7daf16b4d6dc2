import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import type { SkerryClient } from '@skerry/client';
import {
  entriesFilter,
  SITE,
  storedEntriesSchema,
  STREAMS,
  type LogItem,
  type StoredEntries,
} from '@skerry/contracts';
import type { LeafAttacker } from '../bus/leaf-attacker.js';
import { eventually, type CloudUnderTest } from './cloud-under-test.js';
import type { CommandResult } from './skerry-command.js';

/** A cloud whose hub is in `eu` and `us`, with sites `one` and `two` in `eu`, and `far` in `us`. */
export interface LogWalls {
  under: CloudUnderTest;
  client: SkerryClient;
  /** As a replica of a site sees `/v1/data/` of its agent. */
  call: (site: string, path: string, init?: RequestInit) => Promise<{ status: number; body: unknown }>;
  skerry: (...args: string[]) => Promise<CommandResult>;
  thiefOf: (site: string) => Promise<LeafAttacker>;
}

const READ_MS = 10_000;
const SECRET = 'entry-sealed-before-it-leaves';
const CLEAR = 'entry-that-all-may-read';
const AMONG = ['eu', 'us'];
const THIEF = '00000000000000ef';

/** Registers the cases: what of a log may not be at the hub, or in another area, is not there. */
export function logWallsSuite(cloud: () => LogWalls): void {
  it('entries of an encrypted log lie at the hub as ciphertext alone, thinned out before, and sites with the key read them', async () => {
    const sealed = { encryption: { at: 'site' }, residency: { deny: ['us'] } };
    await apply('sealed-log', { ...sealed, log: { flow: 'mesh', edge: { keep: 'one-in', n: 2 } } });
    await apply('clear-log', { log: { flow: 'mesh' } });
    await append('one', 'clear-log', CLEAR);
    for (const n of [1, 2, 3]) await append('one', 'sealed-log', `${SECRET} ${n}`);
    await until('two', 'sealed-log', [`${SECRET} 1`, `${SECRET} 3`]);
    await append('two', 'sealed-log', `${SECRET} by two`);
    await until('one', 'sealed-log', [`${SECRET} 1`, `${SECRET} 3`, `${SECRET} by two`]);
    await until('two', 'clear-log', [CLEAR]);
    expect((await call('far', 'sealed-log')).status).toBe(404);
    const lying = (await atHub('sealed-log')).flatMap(({ entries }) => entries);
    expect(lying.map(({ value, sealed: box }) => [value, box !== undefined])).toEqual(
      Array.from({ length: 3 }, () => ['', true]),
    );
    const disk = await onHubDisk();
    for (const text of [CLEAR, lying[0]?.sealed?.box]) expect(disk).toContain(text);
    expect(disk).not.toContain(SECRET);
  }, 30_000);

  it('people get nothing of an encrypted log through the hub, and nobody puts anything in clear into it', async () => {
    const { skerry, client, thiefOf } = cloud();
    const log = { project: 'test', name: 'sealed-log' };
    const told = await skerry('data', 'tail', 'sealed-log', '--at', 'one');
    expect(told).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/is encrypted[^]*workloads of test/),
    });
    expect(told.stdout + told.stderr).not.toContain(SECRET);
    const read = { verb: 'tail' as const, ...log, limit: 10, waitMs: 0 };
    await expect(client.askLog(read)).rejects.toThrow(
      /is encrypted: at the centre there is ciphertext alone/,
    );
    const typed = { verb: 'append' as const, ...log, values: ['typed'] };
    await expect(client.askLog(typed, { site: 'two' })).rejects.toThrow('is encrypted');
    const { rule, copies, dataset } = await client.datasetWhere('test', 'sealed-log');
    expect([rule.includes('ciphertext alone'), copies.length]).toEqual([true, 2]);
    const ref = { ...log, incarnation: dataset.incarnation };
    const forged = { number: 1, at: Date.now(), value: 'forged' };
    const [thief, abroad] = [await thiefOf('one'), await thiefOf('far')];
    try {
      for (const who of [thief, abroad]) who.subscribe('_INBOX.>');
      const clear = { ...ref, store: THIEF, from: 1, upTo: 1, entries: [forged] };
      thief.publish(SITE.entries, JSON.stringify(clear), '_INBOX.thief.clear');
      await thief.wait(/_INBOX\.thief\.clear[^]*in clear, and the log is encrypted/);
      abroad.publish(SITE.entryPull, JSON.stringify({ ...ref, after: 0 }), '_INBOX.thief.pull');
      await abroad.wait(/_INBOX\.thief\.pull[^]*this site gets no entries of it/);
    } finally {
      thief.close();
      abroad.close();
    }
  }, 30_000);

  it('a log that was taken from a site and is given again has all of it there, and what is written there anew', async () => {
    const before = (await atHub('sealed-log')).map(({ entries }) => entries[0]?.sealed?.key);
    const sealed = { encryption: { at: 'site' }, residency: { deny: ['us'] } };
    const spec = { ...sealed, log: { flow: 'mesh' } };
    await apply('sealed-log', { ...spec, copies: { at: 'matching', sites: ['one'] } });
    await eventually(async () => ((await call('two', 'sealed-log')).status === 404 ? true : undefined), {
      withinMs: READ_MS,
      what: 'two has forgotten it',
    });
    // Where the old rule still stands it thins out one of the two.
    for (let n = 0; n < 2; n += 1) await append('one', 'sealed-log', 'for one alone');
    const later = await eventually(async () => (await atHub('sealed-log'))[before.length], {
      withinMs: READ_MS,
      what: 'it is at the hub',
    });
    expect(before).not.toContain(later.entries[0]?.sealed?.key);
    await apply('sealed-log', spec);
    await append('two', 'sealed-log', 'by two anew');
    await until('one', 'sealed-log', ['by two anew']);
    await until('two', 'sealed-log', [`${SECRET} 1`, `${SECRET} by two`, 'for one alone', 'by two anew']);
  }, 30_000);

  it('entries stay in the area where they were written, and elsewhere only the kept fields are known', async () => {
    const { thiefOf, client } = cloud();
    await apply('area-log', { log: { flow: 'mesh' }, residency: { origin: { among: AMONG } } });
    const elsewhere = { keep: ['city'] };
    await apply('city-log', { log: { flow: 'mesh' }, residency: { origin: { among: AMONG, elsewhere } } });
    const thief = await thiefOf('far');
    try {
      for (const subject of ['>', 'dl.>', 'rpc.>', '_INBOX.>']) thief.subscribe(subject);
      await append('one', 'area-log', 'Ann-of-eu');
      await until('two', 'area-log', ['Ann-of-eu']);
      await append('far', 'area-log', 'Ann-of-us');
      await append('one', 'city-log', '{"name":"Bo-of-eu","city":"Kiel"}');
      // It is before what comes from elsewhere: sites go up by themselves.
      await until('two', 'city-log', ['{"name":"Bo-of-eu","city":"Kiel"}']);
      await append('far', 'city-log', 'Cy-without-fields');
      await append('far', 'city-log', '{"name":"Cy-of-us","city":"Boston"}');
      await until('two', 'city-log', ['{"name":"Bo-of-eu","city":"Kiel"}', '{"city":"Boston"}']);
      await until('far', 'city-log', ['{"city":"Kiel"}', '{"name":"Cy-of-us","city":"Boston"}']);
      const at = { project: 'test', name: 'area-log' };
      const { incarnation } = (await client.datasetWhere('test', 'area-log')).dataset;
      thief.publish(SITE.entryPull, JSON.stringify({ ...at, incarnation, after: 0 }), '_INBOX.thief.pull');
      await thief.wait(/_INBOX\.thief\.pull[^]*Ann-of-us/);
      expect(thief.text()).toContain('"area":"eu"');
      expect(thief.text()).not.toMatch(/Ann-of-eu|Bo-of-eu/);
    } finally {
      thief.close();
    }
    expect(await readAt('two', 'city-log')).toEqual([
      expect.objectContaining({ value: '{"name":"Bo-of-eu","city":"Kiel"}' }),
      expect.objectContaining({ value: '{"city":"Boston"}', area: 'us' }),
    ]);
    expect(await onDisk('far')).not.toMatch(/Ann-of-eu|Bo-of-eu/);
    expect(await onDisk('two')).not.toMatch(/Ann-of-us|Cy-/);
  }, 30_000);

  async function apply(name: string, spec: object): Promise<void> {
    const document = { apiVersion: 'skerry/v1', kind: 'Dataset', metadata: { name, project: 'test' } };
    await cloud().client.apply({ documents: [{ ...document, spec: { type: 'log', ...spec } }] });
  }

  async function call(site: string, path: string, init?: RequestInit) {
    return await cloud().call(site, `../logs/${path}`, init);
  }

  /** Once the log is there. */
  async function append(site: string, name: string, value: string): Promise<void> {
    await eventually(
      async () =>
        (await call(site, name, { method: 'POST', body: value })).status === 200 ? true : undefined,
      { withinMs: READ_MS, what: `${name} is at ${site}` },
    );
  }

  async function readAt(site: string, name: string): Promise<LogItem[]> {
    const { body } = await call(site, `${name}?limit=1000`);
    return typeof body === 'object' && body !== null && 'items' in body && Array.isArray(body.items)
      ? body.items
      : [];
  }

  async function until(site: string, name: string, values: readonly string[]): Promise<void> {
    await eventually(
      async () => {
        const there = new Set((await readAt(site, name)).map((item) => ('gap' in item ? '' : item.value)));
        return values.every((value) => there.has(value)) ? true : undefined;
      },
      { withinMs: READ_MS, what: `${values.join(', ')} in ${name} at ${site}` },
    );
  }

  /** What lies in the hub's stream of a log. */
  async function atHub(name: string): Promise<StoredEntries[]> {
    const batches: StoredEntries[] = [];
    const filters = [entriesFilter({ project: 'test', name })];
    let caughtUp: () => void = () => undefined;
    const all = new Promise<void>((resolve) => (caughtUp = resolve));
    const following = await cloud().under.admin.follow(
      STREAMS.LOGS.name,
      (m) => void batches.push(storedEntriesSchema.parse(m.json())),
      { from: 1, filters, onCaughtUp: () => caughtUp() },
    );
    await all;
    await following.drain();
    return batches;
  }

  /** Everything in files of the hub's streams. */
  async function onHubDisk(): Promise<string> {
    return await textIn(cloud().under.cloud.paths.hubServer('hub'), '.blk');
  }

  /** Everything in files of a site's logs. */
  async function onDisk(site: string): Promise<string> {
    return await textIn(join(cloud().under.cloud.paths.site(site), 'state', 'entry-logs'), '.part');
  }

  async function textIn(folder: string, ending: string): Promise<string> {
    const files = (await readdir(folder, { recursive: true })).filter((file) => file.endsWith(ending));
    return (await Promise.all(files.map(async (f) => await readFile(join(folder, f), 'latin1')))).join('\n');
  }
}
