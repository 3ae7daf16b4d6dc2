import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { SkerryClient } from '@skerry/client';
import { SITE, type DatasetWhere } from '@skerry/contracts';
import { clientOf } from '@skerry/local';
import { z } from 'zod';
import { LeafAttacker } from '../bus/leaf-attacker.js';
import { workloadsWithData } from './dataset-workloads.suite.js';
import { eventually, plainSite, startCloud, type CloudUnderTest } from './cloud-under-test.js';
import { logsSuite } from './dataset-logs.suite.js';
import { mayMakeNamespaces } from './hidden-machine.js';
import { keyvalueSuite } from './keyvalue.suite.js';
import { describeObjects, OBJECTS } from './objects.suite.js';
import { SiteLab } from './site-lab.js';
import { runSkerry } from './skerry-command.js';
import { SmallDisk } from './small-disk.js';
import { untilPhase } from './statuses.js';
import { httpService } from './workloads.js';
import { withClock } from './wrong-clock.js';

const SITES = ['one', 'two', 'far'];
const CONVERGED_MS = 10_000;
/** Writes on each side of a cut. */
const WRITES = 200;
const SHARED_KEYS = 20;
const KILLED_WRITES = 200;
const FAR_AHEAD_MS = 2_000;
const FAR_DISK_MIB = 64;
const parsedEntry = z.looseObject({ entry: z.looseObject({ number: z.number() }) });

const maybe = mayMakeNamespaces() ? describe : describe.skip;

maybe('datasets at three sites, one of them abroad', () => {
  let lab: SiteLab;
  let home: string;
  let farDisk: SmallDisk;
  let under: CloudUnderTest;
  let client: SkerryClient;
  beforeAll(async () => {
    lab = await SiteLab.make();
    const sites = SITES.map((name) => plainSite(name, name === 'far' ? { jurisdictions: ['us'] } : {}));
    home = await mkdtemp(join(tmpdir(), 'skerry-datasets-'));
    farDisk = await SmallDisk.mount(join(home, 'sites', 'far', 'state', 'datasets'), FAR_DISK_MIB);
    const siteProcess: typeof lab.siteProcess = (site, spec) =>
      lab.siteProcess(site, spec.name === 'agent-far' ? withClock(spec, FAR_AHEAD_MS) : spec);
    const env = { SKERRY_SWEEP_EVERY_MS: '1000' };
    under = await startCloud({ home, sites, siteProcess, listen: lab.hubAddress, env });
    client = await clientOf(under.cloud);
    await eventually(
      async () => ((await client.sites()).every((s) => s.state?.phase === 'ready') ? true : undefined),
      { withinMs: 20_000, what: 'all sites are ready' },
    );
    await client.apply({
      documents: [
        everywhere('cart', 'newest'),
        everywhere('hits', 'counter'),
        everywhere('tags', 'set'),
        everywhere('notes', 'keep-both'),
        { ...everywhere('law', 'newest'), spec: { type: 'keyvalue', residency: { stay: ['eu'] } } },
        daemon('web'),
        ...OBJECTS,
      ],
    });
    await untilPhase(client, 'web', ['running']);
    await copiesAt('cart', SITES);
    await copiesAt('law', ['one', 'two']);
  }, 90_000);
  afterAll(async () => {
    await under?.end();
    lab?.remove();
    farDisk?.unmount();
    await rm(home, { recursive: true, force: true });
  }, 60_000);

  it('what is written at one is read at the others', async () => {
    await at('one').put('cart', 'k', 'from one');
    for (const site of ['two', 'far']) await until(site, 'cart', 'k', { value: 'from one' });
    await at('far').put('cart', 'k', 'from far');
    for (const site of ['one', 'two']) await until(site, 'cart', 'k', { value: 'from far' });
    await client.askDataset({ verb: 'delete', project: 'test', name: 'cart', key: 'k' }, { site: 'two' });
    const gone = await eventually(
      async () => {
        const answer = await at('one').get('cart', 'k');
        return answer.status === 404 ? answer.body : undefined;
      },
      { withinMs: 5_000, what: 'the key is gone at one' },
    );
    expect(gone).toMatchObject({ code: 'not-found' });
  });

  it('is asked and told by people, at the site that they name', async () => {
    const put = await skerry(
      'data',
      'put',
      'test/tags',
      'colours',
      '--add',
      'red',
      '--add',
      'blue',
      '--at',
      'two',
    );
    expect(put).toMatchObject({ code: 0, stdout: expect.stringContaining('blue, red') });
    await until('one', 'tags', 'colours', { elements: ['blue', 'red'] });
    const got = await skerry('data', 'get', 'tags', 'colours', '--at', 'far', '--json');
    expect(JSON.parse(got.stdout)).toMatchObject({ key: 'colours', elements: ['blue', 'red'] });
    const where = await skerry('data', 'where', 'law');
    expect(where.stdout).toMatch(/stays in eu[^]*one[^]*two[^]*NOT AT[^]*far[^]*residency/);
    const abroad = await skerry('data', 'ls', 'law', '--at', 'far');
    expect(abroad).toMatchObject({ code: 1, stderr: expect.stringContaining('residency') });
    expect((await skerry('data', 'ls')).stdout).toMatch(/test\/cart[^]*test\/law[^]*next:/);
  });

  it('refuses what cannot be, with all reasons at once', async () => {
    const spec = {
      type: 'log',
      conflicts: 'counter',
      home: 'one',
      ttlMs: 5_000,
      residency: { stay: ['us'], origin: true },
      copies: { at: 'matching', sites: ['one', 'nowhere'] },
    };
    const wrong = { ...everywhere('wrong', 'newest'), spec };
    const refused = await client.apply({ documents: [wrong] }).then(
      () => '',
      (error: unknown) =>
        JSON.stringify(error instanceof Error && 'problem' in error ? error.problem : error),
    );
    for (const reason of [
      'spec.conflicts',
      'origin',
      'spec.home',
      'ttlMs',
      'residency',
      'nowhere',
      'the hub keeps',
    ])
      expect(refused).toContain(reason);
  });

  it('conflicting writes on both sides of a cut converge, and none that was acknowledged is lost', async () => {
    lab.cut('two');
    const both = await Promise.all(['one', 'two'].map(async (site) => await writeMany(site)));
    expect(both.map(({ acknowledged }) => acknowledged)).toEqual([WRITES, WRITES]);
    // Cut off, it knows what was written there and nothing of the other side.
    expect((await at('two').get('hits', 'all')).body).toMatchObject({ entry: { number: WRITES } });
    lab.heal('two');
    const healedAt = performance.now();
    await eventually(async () => ((await sameEverywhere()) ? true : undefined), {
      withinMs: CONVERGED_MS,
      what: 'the same digests everywhere',
    });
    expect(performance.now() - healedAt).toBeLessThan(CONVERGED_MS);
    for (const site of SITES) {
      expect((await at(site).get('hits', 'all')).body).toMatchObject({ entry: { number: 2 * WRITES } });
      expect((await at(site).get('tags', 'seen')).body).toMatchObject({
        entry: { elements: ['one', 'two'] },
      });
      const notes = (await at(site).get('notes', 'who')).body;
      expect(notes).toMatchObject({ entry: { values: expect.arrayContaining(['one', 'two']) } });
      for (const own of ['one', 'two'])
        expect((await at(site).get('cart', `${own}-${WRITES - 1}`)).body).toMatchObject({
          entry: { value: `${WRITES - 1}` },
        });
    }
  }, 60_000);

  it('goes on where it was after agent, replicator and both servers are killed with writes under way', async () => {
    const before = (await at('one').get('hits', 'killed')).status;
    expect(before).toBe(404);
    let acknowledged = 0;
    const counting = (async () => {
      for (let n = 0; n < KILLED_WRITES; n += 1) {
        if (n === 20) kill('agent-one');
        if (n === 40) kill('replicator');
        if (n === 60) kill('leaf-one');
        if (n === 80) kill('hub');
        // An endpoint that is away has acknowledged nothing; whether it counted is then not known, so nothing is tried again.
        const done = await at('one')
          .post('hits', 'killed', { count: 1 })
          .then(() => true)
          .catch(() => false);
        if (done) acknowledged += 1;
        else await new Promise((go) => setTimeout(go, 50));
      }
    })();
    await counting;
    expect(acknowledged).toBeGreaterThan(KILLED_WRITES / 4);
    await eventually(async () => ((await sameEverywhere()) ? true : undefined), {
      withinMs: 20_000,
      what: 'the same digests everywhere',
    });
    for (const site of SITES) {
      const { body } = await at(site).get('hits', 'killed');
      const { entry } = parsedEntry.parse(body);
      expect(entry.number).toBeGreaterThanOrEqual(acknowledged);
      expect(entry.number).toBeLessThanOrEqual(KILLED_WRITES);
    }
  }, 60_000);

  it('nothing leaves for a site outside of the rule, whatever it asks with all that it has', async () => {
    await at('one').put('law', 'secret', 'never-abroad');
    await until('two', 'law', 'secret', { value: 'never-abroad' });
    const thief = await thiefOf('far');
    try {
      for (const subject of ['>', 'dl.>', 'rep.>', 'rpc.>', 'ing.>', '$JS.>', '$KV.>', '_INBOX.>'])
        thief.subscribe(subject);
      const law = { project: 'test', name: 'law', incarnation: 1 };
      const store = '00000000000000ff';
      const forged = { rule: 'newest', at: [Date.now(), 0], by: `one.${store}`, value: 'forged' };
      const { account } = JSON.parse(
        await readFile(join(under.cloud.paths.site('one'), 'site.json'), 'utf8'),
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
      await at('one').put('law', 'secret', 'never-abroad either');
      await at('one').put('cart', 'marker', 'everyone-may-know');
      await thief.wait(/everyone-may-know/);
      expect(thief.text()).not.toContain('never-abroad');
      expect(thief.text()).not.toContain('"law"');
    } finally {
      thief.close();
    }
    await until('two', 'law', 'secret', { value: 'never-abroad either' });
    expect((await at('far').get('law', 'secret')).status).toBe(404);
    const kept = await readdir(join(under.cloud.paths.site('far'), 'state', 'datasets'));
    expect(kept.filter((file) => file.includes('law'))).toEqual([]);
  }, 30_000);

  it('a dataset that is removed is gone everywhere, and made again it is empty', async () => {
    await client.removeDataset('test', 'law');
    await eventually(async () => ((await at('two').get('law', 'secret')).status === 404 ? true : undefined), {
      withinMs: 5_000,
      what: 'it is gone at two',
    });
    const spec = { type: 'keyvalue', residency: { stay: ['eu'] } };
    await client.apply({ documents: [{ ...everywhere('law', 'newest'), spec }] });
    await copiesAt('law', ['one', 'two']);
    const list = await client.askDataset(
      { verb: 'list', project: 'test', name: 'law', limit: 10 },
      { site: 'two' },
    );
    expect(list).toEqual({ entries: [] });
  }, 30_000);

  keyvalueSuite(() => ({ under, client, lab, farDisk, skerry, call: callAt, make: makeDataset }));

  describeObjects({
    client: () => client,
    kill,
    folder: (site) => under.cloud.paths.site(site),
    fetchAt,
    admin: () => under.admin,
    skerry: async (...args) => await skerry(...args),
    thiefOf,
  });

  logsSuite(() => ({ client, lab, skerry, kill, call: callAt, thiefOf }));

  async function makeDataset(name: string, spec: object): Promise<void> {
    const document = everywhere(name, 'newest');
    await client.apply({ documents: [{ ...document, spec: { ...document.spec, ...spec } }] });
    await copiesAt(name, SITES);
  }

  workloadsWithData({ client: () => client, skerry: async (...args) => await skerry(...args) });

  async function thiefOf(site: string): Promise<LeafAttacker> {
    return await LeafAttacker.connect(await stolen(site));
  }

  function kill(name: string): void {
    const pid = under.cloud.supervisor.pid(name);
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
  }

  /** What a replica at a site sees, by the endpoint of its agent: also when the site is cut off. */
  function at(site: string) {
    const call = async (path: string, init?: RequestInit) => await callAt(site, path, init);
    return {
      get: async (name: string, key: string) => await call(`${name}/${key}`),
      put: async (name: string, key: string, value: string) => {
        expect(await call(`${name}/${key}`, { method: 'PUT', body: value })).toMatchObject({ status: 200 });
      },
      post: async (name: string, key: string, change: object) => {
        const answer = await call(`${name}/${key}`, { method: 'POST', body: JSON.stringify(change) });
        expect(answer).toMatchObject({ status: 200 });
      },
    };
  }

  async function callAt(site: string, path: string, init: RequestInit = {}) {
    const response = await fetchAt(site, path, init);
    const body: unknown = await response.json();
    return { status: response.status, body };
  }

  async function fetchAt(site: string, path: string, init: RequestInit = {}): Promise<Response> {
    const { url, token } = await doorOf(site);
    const headers = { authorization: `Bearer ${token}` };
    return await fetch(`${url}/v1/data/${path}`, { ...init, headers });
  }

  async function writeMany(site: string): Promise<{ acknowledged: number }> {
    let acknowledged = 0;
    await at(site).post('tags', 'seen', { add: [site] });
    await at(site).put('notes', 'who', site);
    for (let n = 0; n < WRITES; n += 20)
      await Promise.all(
        Array.from({ length: 20 }, async (_, i) => {
          await at(site).put('cart', `shared-${(n + i) % SHARED_KEYS}`, `${site} ${n + i}`);
          await at(site).put('cart', `${site}-${n + i}`, String(n + i));
          await at(site).post('hits', 'all', { count: 1 });
          acknowledged += 1;
        }),
      );
    return { acknowledged };
  }

  async function sameEverywhere(): Promise<boolean> {
    const all = await Promise.all(['cart', 'hits', 'tags', 'notes'].map(async (name) => await where(name)));
    return all.every(({ copies }) => {
      const digests = new Set(copies.map(({ state }) => state?.digest));
      return (
        copies.length === SITES.length && digests.size === 1 && copies.every((c) => c.state?.unsent === 0)
      );
    });
  }

  async function copiesAt(name: string, sites: readonly string[]): Promise<void> {
    await eventually(
      async () => {
        const { copies } = await where(name);
        return copies.filter((c) => c.state !== undefined).length === sites.length ? true : undefined;
      },
      { withinMs: 10_000, what: `copies of ${name}` },
    );
  }

  const where = async (name: string): Promise<DatasetWhere> => await client.datasetWhere('test', name);
  const skerry = async (...args: string[]) => await runSkerry(under, args);

  async function until(site: string, name: string, key: string, entry: object): Promise<void> {
    let last: unknown;
    await eventually(
      async () => {
        last = (await at(site).get(name, key)).body;
        return JSON.stringify(last).includes(JSON.stringify(entry).slice(1, -1)) ? true : undefined;
      },
      { withinMs: 5_000, what: () => `${name}/${key} at ${site}, which is ${JSON.stringify(last)}` },
    );
  }

  async function doorOf(site: string): Promise<{ url: string; token: string }> {
    const state = join(under.cloud.paths.site(site), 'state');
    const { port } = JSON.parse(await readFile(join(state, 'replica-endpoint.json'), 'utf8'));
    const files = (await readdir(join(state, 'replicas'))).filter((f) => f.endsWith('.json'));
    const record = JSON.parse(await readFile(join(state, 'replicas', files[0] ?? ''), 'utf8'));
    return { url: `http://${lab.deskAddress(site, port)}`, token: record.asks };
  }

  async function stolen(site: string): Promise<Parameters<typeof LeafAttacker.connect>[0]> {
    const dir = under.cloud.paths.site(site);
    const tls = (file: string) => join(dir, 'tls', file);
    return {
      host: lab.hubAddress,
      port: under.cloud.file.ports.leaf,
      creds: await readFile(join(dir, 'leaf.creds'), 'utf8'),
      certificate: { certFile: tls('leaf.crt'), keyFile: tls('leaf.key') },
      caFile: tls('ca.crt'),
    };
  }
});

function everywhere(name: string, conflicts: string) {
  return {
    apiVersion: 'skerry/v1',
    kind: 'Dataset',
    metadata: { name, project: 'test' },
    spec: { type: 'keyvalue', conflicts },
  };
}

/** One replica at each site. */
function daemon(name: string): unknown {
  const service = JSON.parse(JSON.stringify(httpService(name)));
  return { ...service, spec: { ...service.spec, type: 'daemon' } };
}
