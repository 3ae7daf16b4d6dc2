import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import type { SkerryClient } from '@skerry/client';
import { recordFilter, SITE, storedRecordSchema, STREAMS, type StoredRecord } from '@skerry/contracts';
import type { LeafAttacker } from '../bus/leaf-attacker.js';
import { eventually, type CloudUnderTest } from './cloud-under-test.js';
import { DatasetKeys, type Call } from './dataset-keys.js';
import type { CommandResult } from './skerry-command.js';

/** A cloud whose hub is in `us` too, with sites `one` and `two` in `eu`, and `far` in `us`. */
export interface SealingCloud {
  under: CloudUnderTest;
  client: SkerryClient;
  call: Call;
  skerry: (...args: string[]) => Promise<CommandResult>;
  thiefOf: (site: string) => Promise<LeafAttacker>;
}

const SECRET = 'sealed-before-it-leaves';
const CLEAR = 'everyone-may-read-this';

/** Registers the cases: what the hub may not read lies there as ciphertext alone. */
export function sealingSuite(cloud: () => SealingCloud): void {
  const keys = () => new DatasetKeys(cloud().call);
  const apply = async (more: object) => {
    const metadata = { name: 'vault', project: 'test' };
    const spec = { type: 'keyvalue', residency: { deny: ['us'] }, ...more };
    return await cloud().client.apply({
      documents: [{ apiVersion: 'skerry/v1', kind: 'Dataset', metadata, spec }],
    });
  };

  it('a dataset that the hub may not read is admitted with encryption alone, and shared by the sites that may have it', async () => {
    const refused = await apply({}).then(
      () => '',
      (error: unknown) =>
        JSON.stringify(error instanceof Error && 'problem' in error ? error.problem : error),
    );
    expect(refused).toContain('spec.encryption: {at: site}');
    await apply({ encryption: { at: 'site' } });
    await copiesAt('one', 'two');
    await keys().at('one').put('vault', 'k', SECRET);
    await keys().until('two', 'vault', 'k', { value: SECRET });
    await keys().at('two').put('vault', 'k', `${SECRET} by two`);
    await keys().until('one', 'vault', 'k', { value: `${SECRET} by two` });
    expect((await keys().at('far').get('vault', 'k')).status).toBe(404);
  }, 30_000);

  it('its records lie at the hub as ciphertext alone, in the stream and on the disk', async () => {
    await keys().at('one').put('cart', 'clear', CLEAR);
    await keys().until('two', 'cart', 'clear', { value: CLEAR });
    const records = await atHub();
    expect(records.map(({ key, sealed }) => [key, sealed !== undefined])).toContainEqual(['k', true]);
    expect(JSON.stringify(records)).not.toContain(SECRET);
    const disk = await onHubDisk();
    expect(disk).toContain(CLEAR);
    expect(disk).toContain(records[0]?.sealed?.box);
    expect(disk).not.toContain(SECRET);
  });

  it('people are told how it stands, and nothing that would pass the hub in clear', async () => {
    const { skerry, client } = cloud();
    const told = await skerry('data', 'get', 'vault', 'k', '--at', 'one');
    expect(told).toMatchObject({ code: 1, stderr: expect.stringMatching(/is encrypted[^]*workloads with/) });
    expect(told.stdout + told.stderr).not.toContain(SECRET);
    const vault = { project: 'test', name: 'vault' };
    for (const operation of [
      { verb: 'list' as const, ...vault, limit: 10 },
      { verb: 'put' as const, ...vault, key: 'k', value: 'typed' },
    ])
      await expect(client.askDataset(operation, { site: 'two' })).rejects.toThrow('is encrypted');
    // A site that does not answer in time is left out.
    const { rule, copies } = await eventually(
      async () => {
        const where = await client.datasetWhere('test', 'vault');
        const told = where.copies.flatMap(({ state }) => state?.digest || []);
        return told.length === 2 && new Set(told).size === 1 ? where : undefined;
      },
      { withinMs: 10_000, what: 'both copies say the same' },
    );
    expect(rule).toContain('at the hub and in backups, ciphertext alone');
    const digests = new Set(copies.map(({ state }) => state?.digest));
    expect([copies.length, digests.size, digests.has('')]).toEqual([2, 1, false]);
    expect((await client.datasetProof('test', 'vault')).where.rule).toBe(rule);
  });

  it('a record in clear is refused, also from a site that may have the dataset, and a site abroad gets nothing', async () => {
    const { thiefOf, client } = cloud();
    const { incarnation } = (await client.datasetWhere('test', 'vault')).dataset;
    const vault = { project: 'test', name: 'vault', incarnation };
    const store = '00000000000000fe';
    const state = { rule: 'newest', at: [Date.now(), 0], by: `one.${store}`, value: 'forged' };
    const [thief, abroad] = [await thiefOf('one'), await thiefOf('far')];
    try {
      thief.subscribe('_INBOX.>');
      abroad.subscribe('_INBOX.>');
      const forged = { ...vault, store, records: [{ key: 'k', write: 1, state }] };
      thief.publish(SITE.records, JSON.stringify(forged), '_INBOX.thief.clear');
      await thief.wait(/_INBOX\.thief\.clear[^]*in clear, and the dataset is encrypted/);
      abroad.publish(SITE.pull, JSON.stringify({ ...vault, after: 0 }), '_INBOX.thief.pull');
      await abroad.wait(/_INBOX\.thief\.pull[^]*this site has no copy of it/);
      expect(abroad.text()).not.toContain('sealed');
    } finally {
      thief.close();
      abroad.close();
    }
    await keys().until('two', 'vault', 'k', { value: `${SECRET} by two` });
  });

  it('when a site may not have it any more, what is written from then on is sealed with another key', async () => {
    const before = (await atHub()).map(({ sealed }) => sealed?.key);
    await apply({ encryption: { at: 'site' }, copies: { at: 'matching', sites: ['one'] } });
    await eventually(
      async () => ((await keys().at('two').get('vault', 'k')).status === 404 ? true : undefined),
      {
        withinMs: 10_000,
        what: 'two has forgotten it',
      },
    );
    await keys().at('one').put('vault', 'later', 'for one alone');
    const later = await eventually(async () => (await atHub()).find(({ key }) => key === 'later'), {
      withinMs: 10_000,
      what: 'it is at the hub',
    });
    expect(before).not.toContain(later.sealed?.key);
    await apply({ encryption: { at: 'site' } });
    await keys().until('two', 'vault', 'later', { value: 'for one alone' });
    await keys().until('two', 'vault', 'k', { value: `${SECRET} by two` });
    await cloud().client.removeDataset('test', 'vault');
  }, 30_000);

  async function copiesAt(...sites: string[]): Promise<void> {
    await eventually(
      async () => {
        const { copies } = await cloud().client.datasetWhere('test', 'vault');
        const there = copies.filter(({ state }) => state !== undefined).map(({ site }) => site);
        return there.toSorted().join() === sites.join() ? true : undefined;
      },
      { withinMs: 10_000, what: `copies of vault at ${sites.join(', ')}` },
    );
  }

  /** What lies in the hub's stream of the dataset. */
  async function atHub(): Promise<StoredRecord[]> {
    const records: StoredRecord[] = [];
    const filters = [recordFilter({ project: 'test', name: 'vault' })];
    let caughtUp: () => void = () => undefined;
    const all = new Promise<void>((resolve) => (caughtUp = resolve));
    const following = await cloud().under.admin.follow(
      STREAMS.REP.name,
      (m) => void records.push(storedRecordSchema.parse(m.json())),
      { from: 1, filters, onCaughtUp: () => caughtUp() },
    );
    await all;
    await following.drain();
    return records;
  }

  /** Everything in files of the hub's streams. */
  async function onHubDisk(): Promise<string> {
    const { paths } = cloud().under.cloud;
    const folder = paths.hubServer('hub');
    const files = await readdir(folder, { recursive: true });
    const blocks = files.filter((file) => file.endsWith('.blk'));
    return (await Promise.all(blocks.map(async (file) => await readFile(join(folder, file), 'latin1')))).join(
      '\n',
    );
  }
}
