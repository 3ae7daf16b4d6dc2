import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { SkerryClient } from '@skerry/client';
import type { DatasetWhere } from '@skerry/contracts';
import { clientOf } from '@skerry/local';
import { LeafAttacker } from '../bus/leaf-attacker.js';
import { eventually, plainSite, startCloud, type CloudUnderTest } from './cloud-under-test.js';
import { convergenceSuite } from './dataset-convergence.suite.js';
import { homesSuite } from './dataset-homes.suite.js';
import { DatasetKeys } from './dataset-keys.js';
import { objectWallsSuite } from './dataset-objects.suite.js';
import { originSuite } from './dataset-origin.suite.js';
import { logsSuite } from './dataset-logs.suite.js';
import { logWallsSuite } from './dataset-log-walls.suite.js';
import { residencySuite } from './dataset-residency.suite.js';
import { mayMakeNamespaces } from './hidden-machine.js';
import { keyvalueSuite } from './keyvalue.suite.js';
import { describeObjects, OBJECTS } from './objects.suite.js';
import { fetchAsReplica } from './replica-door.js';
import { sealingSuite } from './dataset-sealing.suite.js';
import { SiteLab } from './site-lab.js';
import { runSkerry } from './skerry-command.js';
import { SmallDisk } from './small-disk.js';
import { untilPhase } from './statuses.js';
import { httpService } from './workloads.js';
import { withClock } from './wrong-clock.js';

const SITES = ['one', 'two', 'far'];
const FAR_AHEAD_MS = 2_000;
const FAR_DISK_MIB = 64;

const maybe = mayMakeNamespaces() ? describe : describe.skip;

maybe('datasets at three sites, one of them abroad', () => {
  let lab: SiteLab;
  let home: string;
  let farDisk: SmallDisk;
  let under: CloudUnderTest;
  let client: SkerryClient;
  const keys = new DatasetKeys(callAt);
  beforeAll(async () => {
    lab = await SiteLab.make();
    const sites = SITES.map((name) => plainSite(name, name === 'far' ? { jurisdictions: ['us'] } : {}));
    home = await mkdtemp(join(tmpdir(), 'skerry-datasets-'));
    farDisk = await SmallDisk.mount(join(home, 'sites', 'far', 'state', 'datasets'), FAR_DISK_MIB);
    const siteProcess: typeof lab.siteProcess = (site, spec) =>
      lab.siteProcess(site, spec.name === 'agent-far' ? withClock(spec, FAR_AHEAD_MS) : spec);
    const env = { SKERRY_SWEEP_EVERY_MS: '1000', SKERRY_HUB_JURISDICTIONS: 'eu,us' };
    under = await startCloud({ home, sites, siteProcess, listen: lab.hubAddress, env });
    client = await clientOf(under.cloud);
    await eventually(
      async () => ((await client.sites()).every((s) => s.state?.phase === 'ready') ? true : undefined),
      { withinMs: 40_000, what: 'all sites are ready' },
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
  }, 120_000);
  afterAll(async () => {
    await under?.end();
    lab?.remove();
    farDisk?.unmount();
    await rm(home, { recursive: true, force: true });
  }, 60_000);

  it('what is written at one is read at the others', async () => {
    await keys.at('one').put('cart', 'k', 'from one');
    for (const site of ['two', 'far']) await keys.until(site, 'cart', 'k', { value: 'from one' });
    await keys.at('far').put('cart', 'k', 'from far');
    for (const site of ['one', 'two']) await keys.until(site, 'cart', 'k', { value: 'from far' });
    await client.askDataset({ verb: 'delete', project: 'test', name: 'cart', key: 'k' }, { site: 'two' });
    const gone = await eventually(
      async () => {
        const answer = await keys.at('one').get('cart', 'k');
        return answer.status === 404 ? answer.body : undefined;
      },
      { withinMs: 15_000, what: 'the key is gone at one' },
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
    await keys.until('one', 'tags', 'colours', { elements: ['blue', 'red'] });
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
      residency: { stay: ['jp'], origin: true },
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

  convergenceSuite(() => ({ client, lab, kill, call: callAt, sites: SITES }));

  residencySuite(() => ({ under, call: callAt, thiefOf }));

  sealingSuite(() => ({ under, client, call: callAt, skerry, thiefOf }));

  originSuite(() => ({ under, client, call: callAt, skerry, make: makeDataset, thiefOf }));

  it('a dataset that is removed is gone everywhere, and made again it is empty', async () => {
    await client.removeDataset('test', 'law');
    await eventually(
      async () => ((await keys.at('two').get('law', 'secret')).status === 404 ? true : undefined),
      {
        withinMs: 15_000,
        what: 'it is gone at two',
      },
    );
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

  objectWallsSuite(() => ({ under, client, fetchAt, make: makeDataset, thiefOf }));

  logWallsSuite(() => ({ under, client, call: callAt, skerry, thiefOf }));

  homesSuite(() => ({ client, call: callAt, skerry }));

  logsSuite(() => ({ client, lab, skerry, kill, call: callAt, thiefOf }));

  async function makeDataset(name: string, spec: object, sites: readonly string[] = SITES): Promise<void> {
    const document = everywhere(name, 'newest');
    await client.apply({ documents: [{ ...document, spec: { ...document.spec, ...spec } }] });
    await copiesAt(name, sites);
  }

  async function thiefOf(site: string): Promise<LeafAttacker> {
    return await LeafAttacker.connect(await stolen(site));
  }

  function kill(name: string): void {
    const pid = under.cloud.supervisor.pid(name);
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
  }

  async function callAt(site: string, path: string, init: RequestInit = {}) {
    const response = await fetchAt(site, path, init);
    const body: unknown = await response.json();
    return { status: response.status, body };
  }

  async function fetchAt(site: string, path: string, init: RequestInit = {}): Promise<Response> {
    const address = (port: number) => lab.deskAddress(site, port);
    return await fetchAsReplica(under, { site, path, init, address });
  }

  async function copiesAt(name: string, sites: readonly string[]): Promise<void> {
    await eventually(
      async () => {
        const { copies } = await where(name);
        return copies.filter((c) => c.state !== undefined).length === sites.length ? true : undefined;
      },
      { withinMs: 20_000, what: `copies of ${name}` },
    );
  }

  const where = async (name: string): Promise<DatasetWhere> => await client.datasetWhere('test', name);
  const skerry = async (...args: string[]) => await runSkerry(under, args);

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
