import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { SkerryClient } from '@skerry/client';
import { BUCKETS, bucketStream, STREAMS, storedRecordSchema, type Replica } from '@skerry/contracts';
import { BroughtBack } from './brought-back.js';
import { eventually, type CloudUnderTest } from './cloud-under-test.js';
import { runSkerry, type CommandResult } from './skerry-command.js';
import { replicasOf, untilPhase, whoAnswers } from './statuses.js';
import { httpService } from './workloads.js';

/** Cases for a cloud that somebody else has started: the hub's disks are gone, and what becomes of the sites. */
export function describeRecovery(cloud: () => { under: CloudUnderTest; client: SkerryClient }): void {
  describe('the disks of the hub are gone', () => {
    let place: string;
    let keyFile: string;
    const skerry = async (...args: string[]): Promise<CommandResult> =>
      await runSkerry(cloud().under, ['backup', ...args], {
        SKERRY_BACKUP_KEY_FILE: keyFile,
        SKERRY_BACKUP_PLACE: place,
      });
    beforeAll(async () => {
      const folder = await mkdtemp(join(tmpdir(), 'skerry-backup-'));
      [place, keyFile] = [join(folder, 'backups'), join(folder, 'key')];
    });
    afterAll(async () => await rm(join(place, '..'), { recursive: true, force: true }));

    it('restored, it has all that was backed up, sites come back, and nothing restarts', async () => {
      const { under, client } = cloud();
      expect(await skerry('key', keyFile)).toMatchObject({ code: 0 });
      await client.apply({
        documents: [httpService('kept', { replicas: 2 }), dataset('orders', 'keyvalue'), NEWS],
      });
      const before = replicasOf(await untilPhase(client, 'kept', ['running']));
      await write(client, 'before', 'one');
      await announce(client, 'before');

      const { identity } = under.cloud.paths;
      const created = await skerry('create', '--datasets', '--identity', identity, '--json');
      expect({ ...created, stdout: '' }).toMatchObject({ code: 0 });
      expect(await skerry('verify')).toMatchObject({ code: 0, stdout: expect.stringContaining('is whole') });
      const full = await skerry('restore');
      expect(full).toMatchObject({ code: 1, stderr: expect.stringContaining('services run on this hub') });

      // What the backup does not know.
      await client.apply({
        documents: [
          httpService('late', { site: 'one' }),
          dataset('fresh', 'keyvalue'),
          dataset('files', 'objects'),
          dataset('diary', 'log', { log: { flow: 'mesh' } }),
        ],
      });
      await untilPhase(client, 'late', ['running']);
      await client.apply({
        documents: [
          labelled(httpService('late', { site: 'one' })),
          labelled(dataset('fresh', 'keyvalue'), 'fresh'),
        ],
      });
      const second = await eventually(
        async () => {
          const { status } = await client.workload('test', 'late');
          return status?.phase === 'running' && status.generation === 2 ? status : undefined;
        },
        { withinMs: 20_000, what: 'late runs as it was changed' },
      );
      const [late] = replicasOf(second);
      await write(client, 'after', 'one');
      await announce(client, 'after');
      await hears(client, 'after');
      await write(client, 'first', 'two', 'fresh');
      await reads(client, { site: 'one', key: 'first', name: 'fresh' });
      await upload(under, place);
      await jot(client, 'noted', 'two');
      await notes(client, 'noted');
      const others = new BroughtBack(under, client);
      await others.make();
      const chunks = await chunksOf(under);
      expect(chunks).toBeGreaterThan(0);

      await loseDisks(under);
      const sequence = async () =>
        (await under.admin.streamState(bucketStream(BUCKETS.workloads.name)))?.lastSequence ?? 0;
      const restored = await skerry('restore', '--identity', identity, '--json');
      expect(restored).toMatchObject({ code: 0, stdout: expect.stringContaining('"term":2') });
      expect(await sequence()).toBeGreaterThan(2 ** 32);
      await startServices(under);

      await eventually(async () => ((await allReady(client)) ? true : undefined), {
        withinMs: 40_000,
        what: 'all sites are ready',
      });
      const version = await eventually(
        async () => {
          const { placement } = await client.workload('test', 'kept');
          return placement?.version.term === 2 ? placement.version : undefined;
        },
        { withinMs: 20_000, what: 'a placement of term 2' },
      );
      expect(version.generation).toBe(1);
      const acknowledged = await eventually(
        async () => {
          const status = (await client.workload('test', 'kept')).status;
          const replicas = status === undefined ? [] : replicasOf(status);
          return status?.phase === 'running' && replicas.length === 2 ? replicas : undefined;
        },
        { withinMs: 20_000, what: 'what was kept runs' },
      );
      expect(processesOf(acknowledged)).toEqual(processesOf(before));
      for (const replica of before) expect(await pidAt(replica)).toBe(replica.pid);

      // The site holds on to what the hub does not know and proposes it: the same process, at the generation that it was.
      if (late === undefined) throw new Error('no replica of late');
      expect(await pidAt(late)).toBe(late.pid);
      const back = await eventually(
        async () => {
          const { workload, placement, status } = await client.workload('test', 'late');
          const running = status?.phase === 'running' && placement?.version.term === 2;
          return running ? { workload, replicas: replicasOf(status) } : undefined;
        },
        { withinMs: 40_000, what: 'what the hub did not know is back' },
      );
      expect(back.workload).toMatchObject({ generation: 2, labels: { tier: 'late' } });
      expect(processesOf(back.replicas)).toEqual(processesOf([late]));
      expect(await pidAt(late)).toBe(late.pid);
      await eventually(
        async () => {
          const { changes } = await client.siteReport('one');
          return changes.some(({ what, state }) => what.includes('test/late') && state === 'accepted')
            ? true
            : undefined;
        },
        { withinMs: 10_000, what: 'the report of the site names it' },
      );
      await eventually(
        async () => {
          const named = (await client.doctor()).checks.filter(({ detail }) => detail.includes('test/late'));
          return named.length === 0 ? true : undefined;
        },
        { withinMs: 10_000, what: 'doctor has nothing to say of it' },
      );

      for (const site of ['one', 'two'])
        for (const key of ['before', 'after']) await reads(client, { site, key });
      await write(client, 'since', 'two');
      await reads(client, { site: 'one', key: 'since' });
      // Its number would be that of what the site has and the backup does not know.
      await announce(client, 'since');
      await hears(client, 'before', 'after', 'since');

      // So do the copies of a dataset that the backup does not know: the same one, and what was written at one site is at the hub.
      const fresh = await eventually(
        async () => {
          // Site two may bring it as it was made, before it hears that one has it as it was changed.
          const found = (await client.datasetWhere('test', 'fresh').catch(() => undefined))?.dataset;
          return found?.generation === 2 ? found : undefined;
        },
        { withinMs: 40_000, what: 'the dataset that the hub did not know is back' },
      );
      expect(fresh).toMatchObject({ generation: 2, incarnation: 1, labels: { tier: 'late' } });
      await write(client, 'second', 'one', 'fresh');
      for (const key of ['first', 'second']) await reads(client, { site: 'two', key, name: 'fresh' });
      await eventually(
        async () => {
          const stored = await storedBy(under, 'fresh');
          return ['two first', 'one second'].every((one) => stored.includes(one)) ? true : undefined;
        },
        { withinMs: 20_000, what: 'the hub has what each site wrote to it' },
      );
      await eventually(
        async () => {
          const stored = await storedBy(under, 'files');
          return stored.includes('one file') && (await chunksOf(under)) >= chunks ? true : undefined;
        },
        { withinMs: 20_000, what: 'the hub has the file again, and its chunks' },
      );
      await notes(client, 'noted');
      await jot(client, 'since', 'one');
      await notes(client, 'noted', 'since');
      await others.areBack();
    }, 240_000);

    it('a damaged chunk is named', async () => {
      const chunks = (await readdir(join(place, 'chunks'), { recursive: true, withFileTypes: true })).filter(
        (entry) => entry.isFile(),
      );
      for (const { parentPath, name } of chunks) await writeFile(join(parentPath, name), 'damaged');
      const verified = await skerry('verify');
      expect(verified.code).toBe(1);
      expect(verified.stderr).toMatch(
        /cannot be restored[^]*workloads: chunks\/[0-9a-f]{2}\/[0-9a-f]{64} is damaged/,
      );
    });
  });
}

/** As it is, but of another generation: what runs need not be started again for it. */
function labelled(document: unknown, name = 'late'): unknown {
  if (typeof document !== 'object' || document === null) throw new Error('no document');
  return { ...document, metadata: { name, project: 'test', labels: { tier: 'late' } } };
}

const dataset = (name: string, type: string, more: object = {}) => ({
  apiVersion: 'skerry/v1',
  kind: 'Dataset',
  metadata: { name, project: 'test' },
  spec: { type, ...more },
});
const NEWS = dataset('announced', 'log', { log: { flow: 'broadcast' } });

const SERVICES = ['api', 'telemetry', 'replicator', 'scheduler', 'inventory', 'policy'] as const;

/** Everything of the control plane is killed, its server loses all that it had, streams and accounts, and policy its keys. */
async function loseDisks({ cloud }: CloudUnderTest): Promise<void> {
  const names = cloud.supervisor.names().filter((name) => SERVICES.some((s) => name.startsWith(s)));
  await Promise.all([...names, 'hub'].map((name) => cloud.supervisor.stop(name, 'SIGKILL')));
  for (const folder of ['jetstream', 'accounts'])
    await rm(join(cloud.paths.hubServer('hub'), folder), { recursive: true });
  await rm(cloud.paths.identity, { recursive: true });
  cloud.startHub();
}

async function startServices({ cloud }: CloudUnderTest): Promise<void> {
  for (const app of SERVICES.toReversed()) await cloud.startService(app);
  await cloud.ready([...SERVICES]);
}

async function allReady(client: SkerryClient): Promise<boolean> {
  return (await client.sites()).every(({ state }) => state?.phase === 'ready');
}

const processesOf = (replicas: readonly Replica[]) =>
  replicas.map(({ id, pid, restarts }) => ({ id, pid, restarts })).toSorted((a, b) => (a.id < b.id ? -1 : 1));

async function pidAt({ addresses }: Replica): Promise<number> {
  return (await whoAnswers(addresses['http'])).pid;
}

/** Of what the hub keeps of a dataset, the site that wrote it and its key. */
async function storedBy({ admin }: CloudUnderTest, name: string): Promise<string[]> {
  const stored: string[] = [];
  const hear = (message: { json: () => unknown }) => {
    const { origin, key } = storedRecordSchema.parse(message.json());
    stored.push(`${origin.split('.')[0]} ${key}`);
  };
  const following = await admin.follow(STREAMS.REP.name, hear, { filters: [`rep.test.${name}.>`] });
  await following.caughtUp;
  await following.drain();
  return stored;
}

/** How many chunks of the file the hub keeps, its list among them. */
async function chunksOf({ admin }: CloudUnderTest): Promise<number> {
  let chunks = 0;
  const hear = () => void (chunks += 1);
  const following = await admin.follow(STREAMS.CHUNKS.name, hear, { filters: ['chunk.test.files.>'] });
  await following.caughtUp;
  await following.drain();
  return chunks;
}

/** A file for site one, which is at the hub when this resolves. */
async function upload(under: CloudUnderTest, folder: string): Promise<void> {
  const file = join(folder, '..', 'file');
  await writeFile(file, randomBytes(300_000));
  const put = ['data', 'put', 'test/files', 'file', '--file', file, '--at', 'one'];
  await eventually(async () => ((await runSkerry(under, put)).code === 0 ? true : undefined), {
    withinMs: 20_000,
    what: 'site one takes a file',
  });
  await eventually(
    async () =>
      (await storedBy(under, 'files')).length > 0 && (await chunksOf(under)) > 1 ? true : undefined,
    { withinMs: 20_000, what: 'the file is at the hub' },
  );
}

async function write(client: SkerryClient, key: string, site: string, name = 'orders'): Promise<void> {
  await eventually(
    async () => await client.askDataset({ verb: 'put', project: 'test', name, key, value: key }, { site }),
    { withinMs: 20_000, what: `write ${key} at ${site}` },
  );
}

async function reads(
  client: SkerryClient,
  { site, key, name = 'orders' }: { site: string; key: string; name?: string },
): Promise<void> {
  await eventually(
    async () => {
      const answer = await client.askDataset({ verb: 'get', project: 'test', name, key }, { site });
      return JSON.stringify(answer).includes(`"value":"${key}"`) ? true : undefined;
    },
    { withinMs: 20_000, what: `${key} is read at ${site}` },
  );
}

const announced = { project: 'test', name: 'announced' };

async function announce(client: SkerryClient, value: string): Promise<void> {
  await eventually(async () => await client.askLog({ verb: 'append', ...announced, values: [value] }), {
    withinMs: 20_000,
    what: `append ${value} at the centre`,
  });
}

/** Appends to the log that the backup does not know. */
async function jot(client: SkerryClient, value: string, site: string): Promise<void> {
  const append = { verb: 'append' as const, project: 'test', name: 'diary', values: [value] };
  await eventually(async () => await client.askLog(append, { site }), {
    withinMs: 20_000,
    what: `append ${value} at ${site}`,
  });
}

/** These lie at the hub. */
async function notes(client: SkerryClient, ...values: string[]): Promise<void> {
  const tail = { verb: 'tail', project: 'test', name: 'diary', limit: 100, waitMs: 0 } as const;
  await eventually(
    async () => {
      const answer = JSON.stringify(await client.askLog(tail));
      return values.every((value) => answer.includes(`"value":"${value}"`)) ? true : undefined;
    },
    { withinMs: 40_000, what: `${values.join(', ')} at the hub` },
  );
}

/** What the centre appended is at a site, in this order. */
async function hears(client: SkerryClient, ...values: string[]): Promise<void> {
  const tail = { verb: 'tail', ...announced, limit: 100, waitMs: 0 } as const;
  await eventually(
    async () => {
      const answer = JSON.stringify(await client.askLog(tail, { site: 'one' }));
      const places = values.map((value) => answer.indexOf(`"value":"${value}"`));
      return places.every((place, i) => place > (places[i - 1] ?? -1)) ? true : undefined;
    },
    { withinMs: 20_000, what: `${values.join(', ')} at site one` },
  );
}
