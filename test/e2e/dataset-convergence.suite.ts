import { expect, it } from '@jest/globals';
import type { SkerryClient } from '@skerry/client';
import { z } from 'zod';
import { eventually } from './cloud-under-test.js';
import { DatasetKeys, type Call } from './dataset-keys.js';
import type { SiteLab } from './site-lab.js';

/** A cloud whose sites `one`, `two` and others have copies of `cart`, `hits`, `tags` and `notes`. */
export interface ConvergenceCloud {
  client: SkerryClient;
  lab: Pick<SiteLab, 'cut' | 'heal'>;
  /** With SIGKILL, by the name of the process. */
  kill: (name: string) => void;
  call: Call;
  sites: readonly string[];
}

/** A link that was cut may be tried again only seconds after it was healed; how soon copies agree is measured by benches. */
const CONVERGED_MS = 30_000;
/** Writes on each side of a cut. */
const WRITES = 200;
const SHARED_KEYS = 20;
const KILLED_WRITES = 200;
const parsedEntry = z.looseObject({ entry: z.looseObject({ number: z.number() }) });

/** Registers the cases: after a cut and after kills all copies hold the same, and all that was acknowledged. */
export function convergenceSuite(cloud: () => ConvergenceCloud): void {
  const keys = () => new DatasetKeys(cloud().call);

  it('conflicting writes on both sides of a cut converge, and none that was acknowledged is lost', async () => {
    cloud().lab.cut('two');
    const both = await Promise.all(['one', 'two'].map(async (site) => await writeMany(site)));
    expect(both.map(({ acknowledged }) => acknowledged)).toEqual([WRITES, WRITES]);
    // Cut off, it knows what was written there and nothing of the other side.
    expect((await keys().at('two').get('hits', 'all')).body).toMatchObject({ entry: { number: WRITES } });
    cloud().lab.heal('two');
    await untilSame('all', 2 * WRITES);
    for (const site of cloud().sites) {
      expect((await keys().at(site).get('hits', 'all')).body).toMatchObject({
        entry: { number: 2 * WRITES },
      });
      expect((await keys().at(site).get('tags', 'seen')).body).toMatchObject({
        entry: { elements: ['one', 'two'] },
      });
      const notes = (await keys().at(site).get('notes', 'who')).body;
      expect(notes).toMatchObject({ entry: { values: expect.arrayContaining(['one', 'two']) } });
      for (const own of ['one', 'two'])
        expect(
          (
            await keys()
              .at(site)
              .get('cart', `${own}-${WRITES - 1}`)
          ).body,
        ).toMatchObject({
          entry: { value: `${WRITES - 1}` },
        });
    }
  }, 120_000);

  it('goes on where it was after agent, replicator and both servers are killed with writes under way', async () => {
    const before = (await keys().at('one').get('hits', 'killed')).status;
    expect(before).toBe(404);
    let acknowledged = 0;
    const counting = (async () => {
      for (let n = 0; n < KILLED_WRITES; n += 1) {
        if (n === 20) cloud().kill('agent-one');
        if (n === 40) cloud().kill('replicator');
        if (n === 60) cloud().kill('leaf-one');
        if (n === 80) cloud().kill('hub');
        // An endpoint that is away has acknowledged nothing; whether it counted is then not known, so nothing is tried again.
        const done = await keys()
          .at('one')
          .post('hits', 'killed', { count: 1 })
          .then(() => true)
          .catch(() => false);
        if (done) acknowledged += 1;
        else await new Promise((go) => setTimeout(go, 50));
      }
    })();
    await counting;
    expect(acknowledged).toBeGreaterThan(KILLED_WRITES / 4);
    await untilSame('killed', acknowledged);
    for (const site of cloud().sites) {
      const { body } = await keys().at(site).get('hits', 'killed');
      const { entry } = parsedEntry.parse(body);
      expect(entry.number).toBeGreaterThanOrEqual(acknowledged);
      expect(entry.number).toBeLessThanOrEqual(KILLED_WRITES);
    }
  }, 120_000);

  async function writeMany(site: string): Promise<{ acknowledged: number }> {
    let acknowledged = 0;
    await keys()
      .at(site)
      .post('tags', 'seen', { add: [site] });
    await keys().at(site).put('notes', 'who', site);
    for (let n = 0; n < WRITES; n += 20)
      await Promise.all(
        Array.from({ length: 20 }, async (_, i) => {
          await keys()
            .at(site)
            .put('cart', `shared-${(n + i) % SHARED_KEYS}`, `${site} ${n + i}`);
          await keys()
            .at(site)
            .put('cart', `${site}-${n + i}`, String(n + i));
          await keys().at(site).post('hits', 'all', { count: 1 });
          acknowledged += 1;
        }),
      );
    return { acknowledged };
  }

  /** Until all copies say the same of themselves, and none of them before it counted so many. */
  async function untilSame(hits: string, counted: number): Promise<void> {
    const hasAll = async (site: string) =>
      parsedEntry.parse((await keys().at(site).get('hits', hits)).body).entry.number >= counted;
    await eventually(
      async () => {
        const all = await Promise.all(cloud().sites.map(hasAll));
        return all.every(Boolean) && (await sameEverywhere()) ? true : undefined;
      },
      { withinMs: CONVERGED_MS, what: 'the same digests everywhere, and all that was counted' },
    );
  }

  async function sameEverywhere(): Promise<boolean> {
    const all = await Promise.all(
      ['cart', 'hits', 'tags', 'notes'].map(async (name) => await cloud().client.datasetWhere('test', name)),
    );
    return all.every(({ copies }) => {
      const digests = new Set(copies.map(({ state }) => state?.digest));
      return (
        copies.length === cloud().sites.length &&
        digests.size === 1 &&
        copies.every((c) => c.state?.unsent === 0)
      );
    });
  }
}
