import { expect, it } from '@jest/globals';
import type { SkerryClient } from '@skerry/client';
import { eventually } from './cloud-under-test.js';
import { replicasOf, untilPhase } from './statuses.js';
import { httpService } from './workloads.js';

/** A cloud with sites `one` and `two` in the EU and `far` in the US. */
export interface UnderTest {
  client: () => SkerryClient;
  skerry: (...args: string[]) => Promise<{ code: number | null; stdout: string; stderr: string }>;
}

/** Records that have to be there before a workload begins. */
const RECORDS = 300;

/** Cases: workloads that say which datasets they use. */
export function workloadsWithData({ client, skerry }: UnderTest): void {
  it('refuses a workload whose dataset is not there, or may not be where the workload may run', async () => {
    await client().apply({ documents: [dataset('folios', { residency: { stay: ['eu'] } })] });
    const refused = async (name: string, residency?: string[]) =>
      await client()
        .apply({ documents: [reader(name, { dataset: name, ...(residency ? { residency } : {}) })] })
        .then(
          () => 'admitted',
          (error: unknown) =>
            JSON.stringify(error instanceof Error && 'problem' in error ? error.problem : error),
        );
    expect(await refused('nothing')).toContain('there is no such dataset');
    expect(await refused('folios', ['us'])).toMatch(/"code":"residency"[^]*stays in eu/);
  });

  it('runs it where its dataset may be, says why not elsewhere, and proves where copies are and what was refused', async () => {
    await client().apply({ documents: [reader('books', { dataset: 'folios', replicas: 2, tries: 'page' })] });
    const status = await untilPhase(client(), 'books', ['running']);
    expect(new Set(status.sites.filter((s) => s.replicas.length > 0).map((s) => s.site))).not.toContain(
      'far',
    );
    const why = await skerry('why', 'test/books', '--not-on', 'far');
    expect(why.stdout).toMatch(/copies[^]*folios[^]*stays in eu/);
    const proof = await eventually(
      async () => {
        const { stdout } = await skerry('data', 'proof', 'folios');
        return PROVEN.every((line) => line.test(stdout)) ? stdout : undefined;
      },
      { withinMs: 20_000, what: 'copies and the refusal are written down', everyMs: 200 },
    );
    expect(proof).not.toMatch(/far\s+us/);
    const removed = await client()
      .removeDataset('test', 'folios')
      .then(
        () => 'removed',
        (error: unknown) => String(error),
      );
    expect(removed).toContain('books');
  });

  it('runs it where the log that it uses may be, and lets it append when it says that it writes', async () => {
    const warmth = { type: 'log', log: { flow: 'mesh' }, residency: { stay: ['eu'] } };
    const documents = [
      dataset('warmth', warmth),
      appender('probes', 'write', '200'),
      appender('charts', 'read', '403'),
    ];
    await client().apply({ documents });
    for (const name of ['probes', 'charts']) {
      const status = await untilPhase(client(), name, ['running']);
      // It would have ended with another answer.
      expect(replicasOf(status)).toEqual([expect.objectContaining({ restarts: 0 })]);
      expect(status.sites.filter((s) => s.replicas.length > 0).map((s) => s.site)).not.toContain('far');
    }
    for (const name of ['probes', 'charts']) await client().remove('test', name);
  });

  it('brings a copy to where a workload runs, begins it when that has everything, and takes the copy away after', async () => {
    const copies = { at: 'with-workloads', keepMs: 0 };
    await client().apply({
      documents: [dataset('maps', { copies }), reader('first', { dataset: 'maps', site: 'one' })],
    });
    await untilPhase(client(), 'first', ['running']);
    for (let n = 0; n < RECORDS; n += 50)
      await Promise.all(
        Array.from({ length: 50 }, async (_, i) => {
          const put = { verb: 'put' as const, project: 'test', name: 'maps', key: `k${n + i}`, value: 'v' };
          return await client().askDataset(put, { site: 'one' });
        }),
      );
    expect(await sitesOf('maps')).toEqual(['one']);
    await client().apply({
      documents: [reader('second', { dataset: 'maps', site: 'two', finds: `k${RECORDS - 1}` })],
    });
    await untilPhase(client(), 'second', ['running']);
    // What it reads as the first thing that it does is there, or it would have ended.
    const [replica] = replicasOf(await untilPhase(client(), 'second', ['running']));
    expect(replica).toMatchObject({ restarts: 0 });
    expect(await sitesOf('maps')).toEqual(['one', 'two']);
    await client().remove('test', 'first');
    await eventually(async () => ((await sitesOf('maps')).join() === 'two' ? true : undefined), {
      withinMs: 15_000,
      what: 'the copy that nobody uses is given up',
    });
    await client().apply({ documents: [dataset('pair', { copies: { min: 2, max: 2 } })] });
    await eventually(async () => ((await sitesOf('pair')).length === 2 ? true : undefined), {
      withinMs: 10_000,
      what: 'two sites are chosen',
    });
    // What is used no more stays at one site.
    await client().remove('test', 'second');
    const list = { verb: 'get' as const, project: 'test', name: 'maps', key: `k${RECORDS - 1}` };
    expect(await client().askDataset(list, { site: 'two' })).toMatchObject({ entry: { value: 'v' } });
  }, 60_000);

  it.each(['mesh', 'collect', 'broadcast'] as const)(
    'brings a log of flow %s to where a workload runs, begins it when that has what it reads, and takes the log away after',
    async (flow) => {
      const name = `${flow}-tracks`;
      const copies = { at: 'with-workloads', keepMs: 0 };
      const log = dataset(name, { type: 'log', log: { flow }, copies });
      const access = flow === 'broadcast' ? 'read' : 'write';
      const user = (workload: string, site: string, more: object) => {
        return logUser(`${flow}-${workload}`, { dataset: name, site, ...more });
      };
      await client().apply({ documents: [log, user('first', 'one', { access })] });
      await untilPhase(client(), `${flow}-first`, ['running']);
      expect(await sitesOf(name)).toEqual(['one']);
      const values = Array.from({ length: RECORDS }, (_, n) => `e${n}`);
      const append = { verb: 'append' as const, project: 'test', name };
      for (let n = 0; n < RECORDS; n += 50)
        await client().askLog(
          { ...append, values: values.slice(n, n + 50) },
          flow === 'broadcast' ? {} : { site: 'one' },
        );
      // Of one that is collected no site gets what another wrote.
      const reads = flow === 'collect' ? { access } : { access: 'read', finds: values.at(-1) };
      await client().apply({ documents: [user('second', 'two', reads)] });
      const [replica] = replicasOf(await untilPhase(client(), `${flow}-second`, ['running']));
      // What it reads as the first thing that it does is there, or it would have ended.
      expect(replica).toMatchObject({ restarts: 0 });
      expect(await sitesOf(name)).toEqual(['one', 'two']);
      await client().remove('test', `${flow}-first`);
      await eventually(async () => ((await sitesOf(name)).join() === 'two' ? true : undefined), {
        withinMs: 20_000,
        what: 'the log that nobody uses is given up',
      });
      // That nothing was lost with it is seen where all of it is read.
      const tail = { verb: 'tail' as const, project: 'test', name, limit: 1_000, waitMs: 0 };
      const read = await client().askLog(tail, flow === 'collect' ? {} : { site: 'two' });
      expect(read).toMatchObject({ items: values.map((value) => ({ value })) });
      await expect(client().askLog(tail, { site: 'one' })).rejects.toThrow(/no copy/);
      await eventually(
        async () => {
          const { stdout } = await skerry('data', 'proof', name);
          return /one\s+eu\s+had one[^]*one\s+eu\s+none[^]*two\s+eu\s+has one/.test(stdout) || undefined;
        },
        { withinMs: 15_000, what: 'when it was where is written down', everyMs: 200 },
      );
      await client().remove('test', `${flow}-second`);
    },
    60_000,
  );

  it('brings an encrypted log to where a workload runs, which reads there what another site had written', async () => {
    const copies = { at: 'with-workloads', keepMs: 0 };
    const encryption = { at: 'site' };
    const log = dataset('sealed-tracks', { type: 'log', log: { flow: 'mesh' }, copies, encryption });
    const user = (name: string, site: string, more: object) =>
      logUser(name, { dataset: 'sealed-tracks', site, ...more });
    await client().apply({ documents: [log, user('sealer', 'one', { access: 'write', adds: 'secret' })] });
    await untilPhase(client(), 'sealer', ['running']);
    await client().apply({ documents: [user('opener', 'two', { finds: 'secret' })] });
    const [replica] = replicasOf(await untilPhase(client(), 'opener', ['running']));
    expect(replica).toMatchObject({ restarts: 0 });
    await client().remove('test', 'sealer');
    await eventually(async () => ((await sitesOf('sealed-tracks')).join() === 'two' ? true : undefined), {
      withinMs: 20_000,
      what: 'the log that nobody uses is given up',
    });
    await client().remove('test', 'opener');
  }, 60_000);

  it('lets it ask by subjects at its own site’s server, and what it writes there comes to the others', async () => {
    await client().apply({ documents: [dataset('told', {}), teller('teller', 'told')] });
    await untilPhase(client(), 'teller', ['running']);
    const get = { verb: 'get' as const, project: 'test', name: 'told', key: 'by' };
    const entry = await eventually(
      async () => {
        const answer = await client()
          .askDataset(get, { site: 'two' })
          .catch(() => undefined);
        return answer !== undefined && 'entry' in answer ? answer.entry : undefined;
      },
      { withinMs: 20_000, what: 'the other site has it' },
    );
    expect(entry).toMatchObject({ value: 'subject' });
    await client().remove('test', 'teller');
  }, 60_000);

  const sitesOf = async (name: string) =>
    (await client().datasetWhere('test', name)).copies.map(({ site }) => site).toSorted();
}

/** Where copies are, and what was refused. */
const PROVEN = [
  /stays in eu[^]*one\s+eu\s+has one[^]*two\s+eu\s+has one/,
  /REFUSED AT/,
  /write\s+workload test\/books\s+\d\s/,
];

function dataset(name: string, spec: object): unknown {
  const metadata = { name, project: 'test' };
  return { apiVersion: 'skerry/v1', kind: 'Dataset', metadata, spec: { type: 'keyvalue', ...spec } };
}

/** A service that ends at once when a key of its dataset is not there as it begins, or when it may write to one. */
function reader(
  name: string,
  of: {
    dataset: string;
    replicas?: number;
    site?: string;
    residency?: string[];
    finds?: string;
    tries?: string;
  },
): unknown {
  const { dataset: uses, finds, tries, ...options } = of;
  const service = JSON.parse(JSON.stringify(httpService(name, options)));
  service.spec.data = [{ dataset: uses, access: 'read' }];
  const path = `/v1/data/${uses}/${finds ?? tries ?? ''}`;
  const [method, status] = tries === undefined ? ['GET', '200'] : ['PUT', '403'];
  if (finds !== undefined || tries !== undefined)
    service.spec.run.files[0].content = ASKER.replace('PATH', path)
      .replace('METHOD', method)
      .replace('STATUS', status);
  return service;
}

/** A service that ends at once when what it appends to log `warmth` is not answered so. */
function appender(name: string, access: 'read' | 'write', status: string): unknown {
  const service = JSON.parse(JSON.stringify(httpService(name, {})));
  service.spec.data = [{ dataset: 'warmth', access }];
  service.spec.run.files[0].content = ASKER.replace('PATH', '/v1/logs/warmth')
    .replace('METHOD', 'POST')
    .replace('STATUS', status);
  return service;
}

/** A service that adds an entry to its log as it begins, or ends at once when one is not there. */
function logUser(
  name: string,
  of: { dataset: string; site: string; access?: string; finds?: string; adds?: string },
): unknown {
  const { dataset: uses, site, access = 'read', finds, adds } = of;
  const service = JSON.parse(JSON.stringify(httpService(name, { site })));
  service.spec.data = [{ dataset: uses, access }];
  const [code, value] = adds === undefined ? [LOG_READER, finds] : [LOG_WRITER, adds];
  if (value !== undefined)
    service.spec.run.files[0].content = code.replace('NAME', uses).replace('VALUE', value);
  return service;
}

/** A service at site `one` that writes a key by a subject as it begins, and ends at once when that is refused. */
function teller(name: string, uses: string): unknown {
  const service = JSON.parse(JSON.stringify(httpService(name, { site: 'one' })));
  service.spec.data = [{ dataset: uses, access: 'write' }];
  service.spec.run.files[0].content = TELLER.replace('NAME', uses);
  return service;
}

/** With nothing but the protocol of NATS, as any language has it: lines over TCP. */
const TELLER = `
import { createServer } from 'node:http';
import { connect } from 'node:net';
const { SKERRY_NATS_URL, SKERRY_AGENT_TOKEN: pass, SKERRY_REPLICA: user, HOST, PORT } = process.env;
const { hostname, port } = new URL(SKERRY_NATS_URL.split(',')[0]);
const body = JSON.stringify({ key: 'by', value: 'subject' });
const inbox = '_INBOX.' + user + '.1';
const login = JSON.stringify({ user, pass, headers: true, no_responders: true, verbose: false });
const lines = [
  'CONNECT ' + login,
  'SUB ' + inbox + ' 1',
  'PUB app.' + user + '.NAME.put ' + inbox + ' ' + body.length,
  body,
  '',
];
const socket = connect(Number(port), hostname, () => socket.write(lines.join('\\r\\n')));
let heard = '';
await new Promise((resolve) => {
  socket.on('data', (bytes) => {
    heard += bytes;
    if (/-ERR|MSG [^]*}/.test(heard)) resolve();
  });
  socket.on('close', resolve);
});
if (!heard.includes('"value":"subject"')) process.exit(1);
createServer((request, response) => response.end('told')).listen(Number(PORT), HOST);
`;

const LOG_WRITER = `
import { createServer } from 'node:http';
const { SKERRY_AGENT_URL, SKERRY_AGENT_TOKEN, HOST, PORT } = process.env;
const headers = { authorization: 'Bearer ' + SKERRY_AGENT_TOKEN };
const { status } = await fetch(SKERRY_AGENT_URL + '/v1/logs/NAME', { headers, method: 'POST', body: 'VALUE' });
if (status !== 200) process.exit(1);
createServer((request, response) => response.end('added')).listen(Number(PORT), HOST);
`;

const LOG_READER = `
import { createServer } from 'node:http';
const { SKERRY_AGENT_URL, SKERRY_AGENT_TOKEN, HOST, PORT } = process.env;
const headers = { authorization: 'Bearer ' + SKERRY_AGENT_TOKEN };
const answer = await fetch(SKERRY_AGENT_URL + '/v1/logs/NAME?limit=1000', { headers });
const { items } = await answer.json();
if (!items.some(({ value }) => value === 'VALUE')) process.exit(1);
createServer((request, response) => response.end('found')).listen(Number(PORT), HOST);
`;

const ASKER = `
import { createServer } from 'node:http';
const { SKERRY_AGENT_URL, SKERRY_AGENT_TOKEN, HOST, PORT } = process.env;
const headers = { authorization: 'Bearer ' + SKERRY_AGENT_TOKEN };
const { status } = await fetch(SKERRY_AGENT_URL + 'PATH', { headers, method: 'METHOD' });
if (status !== STATUS) process.exit(1);
createServer((request, response) => response.end('found')).listen(Number(PORT), HOST);
`;
