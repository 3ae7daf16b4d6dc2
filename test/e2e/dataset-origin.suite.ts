import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import type { SkerryClient } from '@skerry/client';
import { BUCKETS, dataKeySchema, SITE } from '@skerry/contracts';
import type { LeafAttacker } from '../bus/leaf-attacker.js';
import { eventually, type CloudUnderTest } from './cloud-under-test.js';
import { DatasetKeys, type Call } from './dataset-keys.js';
import type { CommandResult } from './skerry-command.js';

/** A cloud whose hub is in `eu` and `us`, with sites `one` and `two` in `eu`, and `far` in `us`. */
export interface OriginCloud {
  under: CloudUnderTest;
  client: SkerryClient;
  call: Call;
  skerry: (...args: string[]) => Promise<CommandResult>;
  make: (name: string, spec: object) => Promise<void>;
  thiefOf: (site: string) => Promise<LeafAttacker>;
}

const AMONG = ['eu', 'us'];
const THIEF = '00000000000000ff';

/** Registers the cases: each record stays in the area where it was written, and what is known elsewhere is what the rule keeps. */
export function originSuite(cloud: () => OriginCloud): void {
  const keys = () => new DatasetKeys(cloud().call);

  it('each area has its own value of a key, and elsewhere only the kept fields are known', async () => {
    const { make, skerry, client } = cloud();
    await make('people', { residency: { origin: { among: AMONG, elsewhere: { keep: ['city'] } } } });
    await keys().at('one').put('people', 'ann', '{"name":"Ann-of-eu","city":"Kiel"}');
    await keys().at('far').put('people', 'ann', '{"name":"Ann-of-us","city":"Boston"}');
    await keys().at('far').put('people', 'bob', 'no fields at all');
    await keys().until('two', 'people', 'ann', { value: '{"name":"Ann-of-eu","city":"Kiel"}' });
    await keys().until('two', 'people', 'ann', { value: '{"city":"Boston"}' });
    await keys().until('far', 'people', 'ann', { value: '{"city":"Kiel"}' });
    expect((await keys().at('two').get('people', 'ann')).body).toMatchObject({
      entry: {
        area: 'eu',
        value: '{"name":"Ann-of-eu","city":"Kiel"}',
        elsewhere: [{ area: 'us', value: '{"city":"Boston"}' }],
      },
    });
    const { stdout } = await skerry('data', 'verify', 'people');
    expect(stdout).toContain('3 copies hold the same, each what was written in its area');
    expect((await keys().at('two').get('people', 'bob')).status).toBe(404);
    const read = { verb: 'get', project: 'test', name: 'people', key: 'ann' } as const;
    await expect(client.askDataset(read)).rejects.toThrow(/records of its own in each of eu, us/);
    expect(await onDisk('far', 'people')).not.toContain('Ann-of-eu');
    expect(await onDisk('two', 'people')).not.toMatch(/Ann-of-us|no fields/);
    const where = await skerry('data', 'where', 'people');
    expect(where.stdout).toMatch(/in eu or us; elsewhere only city[^]*far +us, holds what is written in us/);
    await untilProof('people', 'of area us: each record stays where it was written');
  }, 60_000);

  it('a site of another area gets nothing, whatever it asks with all that it has, and says nothing of others', async () => {
    const { make, under, thiefOf } = cloud();
    await make('files', { conflicts: 'keep-both', residency: { origin: { among: AMONG } } });
    await keys().at('one').put('files', 'case', 'never-across');
    await keys().until('two', 'files', 'case', { values: ['never-across'] });
    const { account } = JSON.parse(await readFile(join(under.cloud.paths.site('one'), 'site.json'), 'utf8'));
    const origin = 'one.00000000000000aa';
    const files = { project: 'test', name: 'files', incarnation: 1 };
    const own = `far.${THIEF}`;
    const sibling = { by: own, write: 1, at: [Date.now(), 0], value: 'mine' };
    const both = { rule: 'keep-both', seen: { [origin]: 1, [own]: 1 }, siblings: [sibling] };
    const thief = await thiefOf('far');
    try {
      for (const subject of ['>', 'dl.>', 'rep.>', 'rpc.>', '_INBOX.>']) thief.subscribe(subject);
      const asks: [string, object][] = [
        [SITE.pull, { ...files, after: 0 }],
        [SITE.copies, { store: THIEF, held: [] }],
        // Overwrites what the other area has written, as one who has seen it may.
        [SITE.records, { ...files, store: THIEF, records: [{ key: 'case', write: 1, state: both }] }],
        [`rpc.${account}.pull`, { ...files, after: 0 }],
        ['$JS.API.STREAM.MSG.GET.REP', { last_by_subj: 'rep.test.files.>' }],
      ];
      for (const [at, [subject, body]] of asks.entries())
        thief.publish(subject, JSON.stringify(body), `_INBOX.thief.${at}`);
      await thief.wait(/_INBOX\.thief\.0[^]*"records":\[\]/);
      await thief.wait(/_INBOX\.thief\.2[^]*which is not in us/);
      await keys().at('one').put('files', 'case', 'never-across either');
      await keys().at('far').put('files', 'mark', 'of-this-area');
      await thief.wait(/of-this-area/);
      expect(thief.text()).not.toContain('never-across');
    } finally {
      thief.close();
    }
    await keys().until('two', 'files', 'case', { values: ['never-across', 'never-across either'] });
    expect((await keys().at('far').get('files', 'case')).status).toBe(404);
    expect((await keys().at('one').get('files', 'mark')).status).toBe(404);
    expect(await untilProof('files', 'which is not in us')).toContain('site far');
  }, 60_000);

  it('encrypted, an area has keys of its own, which no site of another is given', async () => {
    const { make, under } = cloud();
    await make('vaults', { encryption: { at: 'site' }, residency: { origin: { among: AMONG } } });
    await keys().at('one').put('vaults', 'k', 'sealed in eu');
    await keys().at('far').put('vaults', 'k', 'sealed in us');
    await keys().until('two', 'vaults', 'k', { value: 'sealed in eu' });
    const bucket = under.admin.bucket(BUCKETS.dataKeys, (value) => dataKeySchema.parse(value));
    const made = await eventually(
      async () => {
        const names = (await bucket.keys()).filter((key) => key.startsWith('test.vaults.'));
        const all = await Promise.all(names.map(async (key) => (await bucket.get(key))?.value));
        const there = all.flatMap((key) => (key === undefined ? [] : [key]));
        return there.flatMap(({ wraps }) => wraps).length >= 3 ? there : undefined;
      },
      { withinMs: 15_000, what: 'each area has made a key' },
    );
    const holders = made.flatMap(({ area, wraps }) => wraps.map(({ site }) => `${area}: ${site}`));
    expect([...new Set(holders)].toSorted()).toEqual(['eu: one', 'eu: two', 'us: far']);
    await keys().until('far', 'vaults', 'k', { value: 'sealed in us' });
  }, 60_000);

  const stateOf = (site: string) => join(cloud().under.cloud.paths.site(site), 'state', 'datasets');

  /** What is kept of a dataset for its proof, which is written a second later. */
  async function untilProof(name: string, text: string): Promise<string> {
    return await eventually(
      async () => {
        const { audit } = await cloud().client.datasetProof('test', name);
        const found = JSON.stringify(audit);
        return found.includes(text) ? found : undefined;
      },
      { withinMs: 15_000, what: `${text} in the proof of ${name}` },
    );
  }

  /** All that lies at a site of a dataset. */
  async function onDisk(site: string, name: string): Promise<string> {
    const files = (await readdir(stateOf(site))).filter((file) => file.includes(name));
    expect(files.length).toBeGreaterThan(0);
    const texts = await Promise.all(
      files.map(async (file) => await readFile(join(stateOf(site), file), 'utf8')),
    );
    return texts.join('\n');
  }
}
