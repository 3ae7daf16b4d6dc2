import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { SITE } from '@skerry/contracts';
import type { LeafAttacker } from '../bus/leaf-attacker.js';
import type { CloudUnderTest } from './cloud-under-test.js';
import { DatasetKeys, type Call } from './dataset-keys.js';

/** A cloud with copies of `cart` at `one` and `far`, and of `law` at `one` and `two`, but never at `far`. */
export interface ResidencyCloud {
  under: CloudUnderTest;
  call: Call;
  /** Connects to the hub with all that a site has. */
  thiefOf: (site: string) => Promise<LeafAttacker>;
}

/** As one looks like. */
const MARK = '3.0123abcd';

/** Registers the case: what may not leave does not, whoever asks. */
export function residencySuite(cloud: () => ResidencyCloud): void {
  const keys = () => new DatasetKeys(cloud().call);

  it('nothing leaves for a site outside of the rule, whatever it asks with all that it has', async () => {
    await keys().at('one').put('law', 'secret', 'never-abroad');
    await keys().until('two', 'law', 'secret', { value: 'never-abroad' });
    const thief = await cloud().thiefOf('far');
    try {
      for (const subject of ['>', 'dl.>', 'rep.>', 'rpc.>', 'ing.>', '$JS.>', '$KV.>', '_INBOX.>'])
        thief.subscribe(subject);
      const law = { project: 'test', name: 'law', incarnation: 1 };
      const store = '00000000000000ff';
      const forged = { rule: 'newest', at: [Date.now(), 0], by: `one.${store}`, value: 'forged' };
      const { account } = JSON.parse(
        await readFile(join(cloud().under.cloud.paths.site('one'), 'site.json'), 'utf8'),
      );
      const asks: [string, object][] = [
        [SITE.pull, { ...law, after: 0 }],
        [SITE.copies, { store, held: [] }],
        [SITE.records, { ...law, store, records: [{ key: 'secret', write: 1, state: forged }] }],
        [`rpc.${account}.pull`, { ...law, after: 0 }],
        [
          `dl.${account}.records`,
          {
            ...law,
            after: 0,
            upTo: 9,
            records: [{ origin: forged.by, key: 'secret', write: 9, state: forged }],
          },
        ],
        [
          `dl.${account}.req.dataset`,
          { id: '0123456789abcdef', operation: { verb: 'list', project: 'test', name: 'law' } },
        ],
        [
          'rep.test.law.one.00000000000000ff.k',
          { kind: 'Record', origin: forged.by, ...law, key: 'secret', write: 9, state: forged },
        ],
        [SITE.give(MARK, account), { ...law, store, records: [{ key: 'secret', write: 1, state: forged }] }],
        [SITE.give('*.*', account), { ...law, store, records: [{ key: 'secret', write: 1, state: forged }] }],
        [
          `rpc.${account}.give.${MARK}.${account}`,
          { ...law, store, records: [{ key: 'k', write: 1, state: forged }] },
        ],
        [
          // Of what it has a copy of, in the name of another.
          SITE.give(MARK, account),
          { ...law, name: 'cart', store, records: [{ key: 'secret', write: 1, state: forged }] },
        ],
        ['$JS.API.STREAM.MSG.GET.REP', { last_by_subj: 'rep.test.law.>' }],
        [
          '$JS.API.CONSUMER.CREATE.REP',
          { stream_name: 'REP', config: { deliver_subject: 'dl.x', filter_subject: 'rep.>' } },
        ],
      ];
      for (const [at, [subject, body]] of asks.entries())
        thief.publish(subject, JSON.stringify(body), `_INBOX.thief.${at}`);
      // The thief hears what it may: answers that say no, and news of what it has a copy of.
      await thief.wait(/_INBOX\.thief\.0[^]*this site has no copy of it/);
      await thief.wait(/_INBOX\.thief\.2[^]*this site has no copy of it/);
      await keys().at('one').put('law', 'secret', 'never-abroad either');
      await keys().at('one').put('cart', 'marker', 'everyone-may-know');
      await thief.wait(/everyone-may-know/);
      expect(thief.text()).not.toContain('never-abroad');
      expect(thief.text()).not.toContain('"law"');
    } finally {
      thief.close();
    }
    await keys().until('two', 'law', 'secret', { value: 'never-abroad either' });
    expect((await keys().at('far').get('law', 'secret')).status).toBe(404);
    const kept = await readdir(join(cloud().under.cloud.paths.site('far'), 'state', 'datasets'));
    expect(kept.filter((file) => file.includes('law'))).toEqual([]);
  }, 30_000);
}
