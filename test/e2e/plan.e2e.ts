import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { SkerryClient } from '@skerry/client';
import { planSchema, whySchema } from '@skerry/contracts';
import { clientOf } from '@skerry/local';
import { allReady, eventually, plainSite, startCloud, type CloudUnderTest } from './cloud-under-test.js';
import { runSkerry } from './skerry-command.js';
import { untilPhase, untilPlannedElsewhere, untilRuns } from './statuses.js';

const BERLIN = { lat: 52.5, lon: 13.4 };
const TOKYO = { lat: 35.7, lon: 139.7 };
const SYDNEY = { lat: -33.9, lon: 151.2 };

/** A workload with users where they are said to be; no process runs. */
function forUsers(name: string, users: { lat: number; lon: number }[], replicas = 1) {
  return {
    apiVersion: 'skerry/v1',
    kind: 'Workload',
    metadata: { name, project: 'test' },
    spec: {
      run: { driver: 'mock' },
      resources: { cpuMillicores: 10, memoryMiB: 1 },
      placement: { replicas, users },
    },
  };
}

function readerOf(name: string, users: { lat: number; lon: number }[], dataset: string): object {
  const document = forUsers(name, users);
  return { ...document, spec: { ...document.spec, data: [{ dataset, access: 'read' }] } };
}

describe('what is planned on the command line', () => {
  let under: CloudUnderTest;
  let client: SkerryClient;
  beforeAll(async () => {
    under = await startCloud({
      sites: [
        plainSite('berlin', { location: BERLIN }),
        plainSite('sydney', {
          location: SYDNEY,
          jurisdictions: ['au'],
          taints: [{ key: 'lab', value: '', effect: 'no-new' }],
        }),
        plainSite('tokyo', { location: TOKYO, jurisdictions: ['jpn'] }),
        plainSite('zurich', { location: { lat: 47.4, lon: 8.5 }, jurisdictions: ['ch'] }),
      ],
    });
    client = await clientOf(under.cloud);
    await allReady(under);
  }, 90_000);
  afterAll(() => under?.end(), 60_000);

  const skerry = (...args: string[]) => runSkerry(under, args);
  async function fileOf(name: string, document: object): Promise<string> {
    const path = join(under.cloud.paths.home, `${name}.json`);
    await writeFile(path, JSON.stringify(document));
    return path;
  }
  async function planOf(...args: string[]) {
    const { code, stdout, stderr } = await skerry(...args, '--json');
    return { code, stderr, plan: stdout === '' ? undefined : planSchema.parse(JSON.parse(stdout)) };
  }
  const sitesOf = async (name: string) =>
    (await client.workload('test', name)).placement?.shares.map(
      ({ site, replicas }) => `${site} ${replicas}`,
    );

  it('is applied as it was planned, by its id, and then there is nothing left to do', async () => {
    const path = await fileOf('web', forUsers('web', [BERLIN]));
    const { code, plan } = await planOf('plan', '-f', path);
    expect(code).toBe(1);
    expect(plan?.items).toMatchObject([
      { change: 'create', moves: [{ site: 'berlin', before: 0, after: 1 }] },
    ]);
    const applied = await skerry('apply', '--plan', plan?.id ?? '', '--wait');
    expect({ code: applied.code, out: applied.stdout }).toMatchObject({
      code: 0,
      out: expect.stringContaining('is applied'),
    });
    expect(await sitesOf('web')).toEqual(['berlin 1']);
    const again = await planOf('plan', '-f', path);
    expect([again.code, again.plan?.items[0]?.change]).toEqual([0, 'none']);
  });

  it('is of datasets and the workloads that use them, and comes out as planned', async () => {
    const stays = { residency: { stay: ['jpn', 'ch'] }, encryption: { at: 'site' } };
    const dataset = {
      apiVersion: 'skerry/v1',
      kind: 'Dataset',
      metadata: { name: 'maps', project: 'test' },
      spec: { type: 'keyvalue', copies: { at: 'with-workloads', max: 1 }, ...stays },
    };
    const reader = readerOf('reader', [TOKYO], 'maps');
    const folder = join(under.cloud.paths.home, 'maps');
    await mkdir(folder);
    await writeFile(join(folder, 'a-reader.json'), JSON.stringify(reader));
    await writeFile(join(folder, 'b-maps.json'), JSON.stringify(dataset));
    const { code, plan } = await planOf('plan', '-f', folder);
    expect(code).toBe(1);
    expect(plan?.items).toMatchObject([{ name: 'reader', moves: [{ site: 'tokyo', before: 0, after: 1 }] }]);
    expect(plan?.datasets).toMatchObject([
      { change: 'create', copies: [{ site: 'tokyo', now: false, why: 'used by test.reader' }] },
    ]);
    expect(
      Object.fromEntries(plan?.datasets?.[0]?.without.map(({ site, why }) => [site, why]) ?? []),
    ).toEqual({
      berlin: 'residency: stays in jpn, ch; the site is in eu',
      sydney: 'residency: stays in jpn, ch; the site is in au',
      zurich: 'copies: no workload that uses it runs there',
    });
    const applied = await skerry('apply', '--plan', plan?.id ?? '');
    expect({ code: applied.code, err: applied.stderr }).toEqual({ code: 0, err: '' });
    const where = await eventually(
      async () => {
        const now = await client.datasetWhere('test', 'maps');
        return now.copies.length > 0 ? now : undefined;
      },
      { withinMs: 20_000, what: 'a copy was chosen' },
    );
    expect(where.copies.map(({ site }) => site)).toEqual(['tokyo']);
    expect(await sitesOf('reader')).toEqual(['tokyo 1']);
    const again = await planOf('plan', '-f', folder);
    expect([again.code, again.plan?.datasets]).toMatchObject([
      0,
      [{ change: 'none', copies: [{ site: 'tokyo', now: true }] }],
    ]);
    await client.remove('test', 'reader');
  });

  it('is refused, with both results beneath each other, when something changed in between', async () => {
    const late = forUsers('late', [BERLIN]);
    const path = await fileOf('late', late);
    const { plan } = await planOf('plan', '-f', path);
    await client.cordon('berlin', true);
    await untilPlannedElsewhere(client, late, 'berlin');
    const refused = await skerry('apply', '--plan', plan?.id ?? '');
    await client.cordon('berlin', false);
    expect({ code: refused.code, out: refused.stdout }).toEqual({ code: 1, out: '' });
    expect(refused.stderr).toMatch(
      /test\/late: .+\n\s+- planned {2}placed: berlin 1\n\s+\+ now {6}placed: zurich 1\n/,
    );
    await expect(client.workload('test', 'late')).rejects.toThrow(/late/);
  });

  it('says what cannot be, with what stands in the way, and exits 2', async () => {
    const path = await fileOf('nowhere', {
      ...forUsers('nowhere', []),
      spec: { run: { driver: 'mock' }, placement: { residency: { allow: ['jp'] } } },
    });
    const ran = await skerry('plan', '-f', path);
    expect(ran.code).toBe(2);
    expect(ran.stdout).toMatch(
      /none of 1 replicas could be placed[\s\S]*berlin: residency: has eu, needs one of jp/,
    );
  });

  it('shows where things would go without a site, or with one drained, and moves nothing', async () => {
    const without = await skerry('plan', '--without-site', 'berlin');
    expect(without.code).toBe(1);
    expect(without.stdout).toMatch(/if there were no site berlin:[\s\S]*test\/web[\s\S]*zurich +0 +1/);
    const { code, plan } = await planOf('plan', '--drain', 'berlin');
    expect(code).toBe(1);
    expect(plan?.scenario).toEqual({ kind: 'drain', site: 'berlin' });
    expect(plan?.items[0]?.moves).toEqual(
      expect.arrayContaining([
        { site: 'berlin', before: 1, after: 0 },
        { site: 'zurich', before: 0, after: 1 },
      ]),
    );
    const idle = await planOf('plan', '--without-site', 'sydney');
    expect([idle.code, idle.plan?.items]).toEqual([0, []]);
    expect(await sitesOf('web')).toEqual(['berlin 1']);
  });

  it('a site is drained with progress until nothing is left, and taken back', async () => {
    const preview = await skerry('site', 'drain', 'berlin', '--plan');
    expect([preview.code, preview.stdout]).toEqual([1, expect.stringMatching(/zurich +0 +1/)]);
    expect(await sitesOf('web')).toEqual(['berlin 1']);
    const drained = await skerry('site', 'drain', 'berlin', '--deadline', '1h', '--wait', '30');
    expect(drained).toMatchObject({ code: 0, stdout: expect.stringMatching(/\nnothing runs at berlin/) });
    expect(drained.stderr).toMatch(/0 of \d+ replicas have left[\s\S]*(\d+) of \1 replicas have left/);
    expect(await sitesOf('web')).toEqual(['zurich 1']);
    expect((await skerry('site', 'ls')).stdout).toMatch(/berlin +ready, draining/);
    expect(await skerry('site', 'undo', 'berlin')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^berlin stays/),
    });
    // Only what gains moves back, and only when asked to.
    expect(await sitesOf('web')).toEqual(['zurich 1']);
    await client.remove('test', 'web');
  });

  it('is explained from its recorded inputs after it was decided otherwise', async () => {
    await client.apply({ documents: [forUsers('told', [BERLIN])] });
    await untilPhase(client, 'told', ['running']);
    await client.apply({ documents: [forUsers('told', [BERLIN], 2)] });
    await untilRuns(client, 'told', 2);
    const earlier = await skerry('why', 'told', '--revision', '1', '--json');
    expect({ code: earlier.code, err: earlier.stderr }).toEqual({ code: 0, err: '' });
    expect(whySchema.parse(JSON.parse(earlier.stdout))).toMatchObject({
      from: 'recorded',
      reproduced: true,
      placement: { wanted: 1, version: { revision: 1 } },
    });
    const ran = await skerry('why', 'told', '--revision', '1', '--not-on', 'sydney');
    expect(ran.stdout).toMatch(/taints\s+fails/);
    expect(ran.stdout).toMatch(/it would fit there if:\n {2}\S+/);
    expect(ran.stdout).toContain('from the inputs as recorded, and decided again: the same, bit for bit');
    expect((await skerry('why', 'told', '--revision', '4711')).code).toBe(3);
    expect((await skerry('why', 'told', '--at', '2020-01-01T00:00:00Z')).code).toBe(3);
  });

  it('is the moves to a better site that came later, within the budget, and exactly those are made', async () => {
    await client.cordon('tokyo', true);
    await untilPlannedElsewhere(client, forUsers('a', [TOKYO]), 'tokyo');
    await client.apply({ documents: ['a', 'b', 'c'].map((name) => forUsers(name, [TOKYO])) });
    for (const name of ['a', 'b', 'c']) await untilPhase(client, name, ['running']);
    expect(await sitesOf('a')).not.toEqual(['tokyo 1']);
    await client.cordon('tokyo', false);
    const none = await planOf('rebalance', '--plan', '--max-moves', '0');
    expect([none.code, none.plan?.items]).toEqual([0, []]);
    const one = await planOf('rebalance', '--plan');
    expect([one.code, one.plan?.items.length]).toEqual([1, 1]);
    const { code, plan } = await planOf('rebalance', '--plan', '--max-moves', '100%');
    expect(code).toBe(1);
    expect(plan?.items.map(({ name }) => name).toSorted()).toEqual(['a', 'b', 'c']);
    expect(plan?.after.latencyMs ?? 0).toBeLessThan(plan?.before.latencyMs ?? 0);
    const applied = await skerry('apply', '--plan', plan?.id ?? '');
    expect({ code: applied.code, err: applied.stderr }).toEqual({ code: 0, err: '' });
    for (const name of ['a', 'b', 'c'])
      await eventually(async () => ((await sitesOf(name))?.join() === 'tokyo 1' ? true : undefined), {
        withinMs: 20_000,
        what: `${name} moved to tokyo, once it is healthy there`,
      });
    const stale = await skerry('apply', '--plan', plan?.id ?? '');
    expect(stale.code).toBe(1);
    const done = await skerry('rebalance');
    expect({ code: done.code, err: done.stderr }).toEqual({ code: 0, err: '' });
    expect(done.stdout).toContain('no move gains more than it costs');
  });

  it('shows taints of sites', async () => {
    expect((await skerry('site', 'show', 'sydney')).stdout).toMatch(/taints +lab: no-new/);
    expect((await skerry('site', 'ls')).stdout).toMatch(/sydney +ready, tainted/);
    expect((await skerry('node', 'ls')).stdout).toMatch(/GPUS/);
  });
});
