import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import type { Bus } from '@skerry/bus';
import type { SkerryClient } from '@skerry/client';
import { chunkSubject, SITE, STREAMS, type ObjectWhere } from '@skerry/contracts';
import type { LeafAttacker } from '../bus/leaf-attacker.js';
import { eventually } from './cloud-under-test.js';
import { untilRefused } from './refusals.js';

/** What these cases need of the cloud that they share with others. */
export interface ObjectsUnderTest {
  client: () => SkerryClient;
  kill: (name: string) => void;
  /** The folder of a site's agent. */
  folder: (site: string) => string;
  /** May look at the hub's streams. */
  admin: () => Bus;
  /** As a replica of a site asks its agent. */
  fetchAt: (site: string, path: string, init?: RequestInit) => Promise<Response>;
  skerry: (...args: string[]) => Promise<{ code: number; stdout: string; stderr: string }>;
  thiefOf: (site: string) => Promise<LeafAttacker>;
}

const FILE_BYTES = 64 * 1024 * 1024;
/** At site `two`, until its agent was killed: the file would take half a minute. */
const BYTES_PER_SECOND = FILE_BYTES / 32;
/** Chunks that are at `two` when its agent is killed, at least. */
const KILLED_AT = 10;
const MARK = 'this never goes abroad';

/** Files that may not be at site `far`. */
export const OBJECTS = [models([{ bytesPerSecond: BYTES_PER_SECOND, sites: ['two'] }])];

/** Registers the cases. */
export function describeObjects(under: ObjectsUnderTest): void {
  it('a file that is put at one site is got at another, which was killed in the middle and fetches no chunk again', async () => {
    const bytes = Buffer.concat([Buffer.from(MARK), randomBytes(FILE_BYTES - MARK.length)]);
    const put = await under.fetchAt('one', 'models/big', { method: 'PUT', body: bytes });
    expect(put.status).toBe(200);
    const first = await eventually(
      async () => {
        const chunks = await chunksAt('two');
        return chunks.size >= KILLED_AT ? chunks : undefined;
      },
      { withinMs: 20_000, what: 'some chunks are at two', everyMs: 10 },
    );
    under.kill('agent-two');
    const killedWith = await chunksAt('two');
    const all = (await chunksAt('one')).size;
    expect(killedWith.size).toBeLessThan(all);
    await under.client().apply({ documents: [models([])] });
    await eventually(
      async () => ((await copyAt('big', 'two'))?.object?.complete === true ? true : undefined),
      {
        withinMs: 60_000,
        what: 'the file is complete at two',
      },
    );
    const after = await chunksAt('two');
    expect(after.size).toBe(all);
    // What was there is the same file, written once.
    for (const [name, written] of first) expect([name, after.get(name)]).toEqual([name, written]);
    const got = await under.fetchAt('two', 'models/big');
    expect(got.headers.get('etag')).toBe(`"${digestOf(bytes)}"`);
    expect(digestOf(Buffer.from(await got.arrayBuffer()))).toBe(digestOf(bytes));
  }, 120_000);

  it('files go in and out by the CLI, which shows where they are', async () => {
    const [from, to] = [join(under.folder('one'), 'in.bin'), join(under.folder('one'), 'out.bin')];
    const bytes = randomBytes(700_000);
    await writeFile(from, bytes);
    const put = await under.skerry('data', 'put', 'models', 'small', '--file', from, '--at', 'one', '--json');
    expect(put).toMatchObject({ code: 0, stdout: expect.stringContaining(digestOf(bytes)) });
    await eventually(
      async () => ((await copyAt('small', 'two'))?.object?.complete === true ? true : undefined),
      {
        withinMs: 10_000,
        what: 'the small file is complete at two',
      },
    );
    const where = await under.skerry('data', 'where', 'models', 'small');
    expect(where.stdout).toMatch(/one +eu +700000 +yes[^]*two +eu +700000 +yes[^]*NOT AT[^]*far +residency/);
    expect((await under.skerry('data', 'ls', 'models', '--at', 'two')).stdout).toMatch(/small +700000 +yes/);
    const got = await under.skerry('data', 'get', 'models', 'small', '--file', to, '--at', 'two');
    expect(got).toMatchObject({ code: 0 });
    expect(digestOf(await readFile(to))).toBe(digestOf(bytes));
    const value = await under.skerry('data', 'put', 'models', 'small', 'text');
    expect(value).toMatchObject({ code: 1, stderr: expect.stringContaining('--file PATH') });
  }, 60_000);

  it('no chunk of a file leaves for a site outside of the rule, whatever it asks with all that it has', async () => {
    expect((await under.fetchAt('far', 'models/big')).status).toBe(404);
    const { marked, bytes } = await markedChunk();
    const models = { project: 'test', name: 'models', incarnation: 1 };
    const thief = await under.thiefOf('far');
    try {
      for (const subject of ['>', 'dl.>', 'chunk.>', 'rpc.>', '$JS.>', '_INBOX.>']) thief.subscribe(subject);
      const asks: [string, object][] = [
        [SITE.chunkGet, { ...models, digest: marked, bytes }],
        [SITE.chunkAsk, { ...models, lists: [{ digest: marked, bytes }] }],
        [`$JS.API.DIRECT.GET.CHUNKS.${chunkSubject(models, { digest: marked, bytes })}`, {}],
        ['$JS.API.STREAM.INFO.CHUNKS', { subjects_filter: 'chunk.>' }],
        [chunkSubject(models, { digest: marked, bytes }), {}],
      ];
      for (const [n, [subject, body]] of asks.entries())
        thief.publish(subject, JSON.stringify(body), `_INBOX.thief.${n}`);
      await thief.wait(/_INBOX\.thief\.0[^]*this site has no copy of it/);
      await thief.wait(/_INBOX\.thief\.1[^]*this site has no copy of it/);
      expect(thief.text()).not.toContain(MARK);
      expect(thief.text()).not.toContain('"missing"');
    } finally {
      thief.close();
    }
    expect((await chunksAt('far')).size).toBe(0);
    const why = /^(?:residency|copies): /;
    await untilRefused(under.client(), 'models', [
      { what: 'read', by: 'site far', why },
      { what: 'write', by: 'site far', why },
    ]);
  }, 30_000);

  it('what no file names any more is gone at the sites and at the hub', async () => {
    const gone = await under.fetchAt('one', 'models/big', { method: 'DELETE' });
    expect(gone.status).toBe(200);
    const left = async () => [
      (await chunksAt('one')).size,
      (await chunksAt('two')).size,
      (await under.admin().streamState(STREAMS.CHUNKS.name))?.messages ?? 0,
    ];
    let last: number[] = [];
    // The small file: a few chunks and their list.
    const isSwept = async () => {
      last = await left();
      return last.every((chunks) => chunks > 1 && chunks < 20);
    };
    await eventually(async () => ((await isSwept()) ? true : undefined), {
      withinMs: 20_000,
      what: () => `few chunks everywhere; there are ${last.join(', ')}`,
    });
  }, 30_000);

  async function copyAt(key: string, site: string): Promise<ObjectWhere['copies'][number] | undefined> {
    const { copies } = await under.client().objectWhere('test', 'models', key);
    return copies.find((copy) => copy.site === site);
  }

  /** Chunks on the disk of a site, with what changes when a file is written again. */
  async function chunksAt(site: string): Promise<Map<string, string>> {
    const folder = join(under.folder(site), 'state', 'objects', 'chunks');
    const parts = (await readdir(folder).catch(() => [])).filter((part) => part.length === 2);
    const names = await Promise.all(parts.map(async (part) => await readdir(join(folder, part))));
    const found = await Promise.all(
      names.flat().map(async (name) => {
        const { ino, mtimeMs } = await stat(chunkPath(site, name));
        return [name, `${ino} ${mtimeMs}`] as const;
      }),
    );
    return new Map(found);
  }

  /** The chunk with the text that is looked for. */
  async function markedChunk(): Promise<{ marked: string; bytes: number }> {
    for (const name of (await chunksAt('one')).keys()) {
      const bytes = await readFile(chunkPath('one', name));
      if (bytes.includes(MARK)) return { marked: name, bytes: bytes.length };
    }
    throw new Error('no chunk has the mark');
  }

  function chunkPath(site: string, name: string): string {
    return join(under.folder(site), 'state', 'objects', 'chunks', name.slice(0, 2), name);
  }
}

function models(bandwidth: readonly object[]) {
  return {
    apiVersion: 'skerry/v1',
    kind: 'Dataset',
    metadata: { name: 'models', project: 'test' },
    spec: { type: 'objects', residency: { stay: ['eu'] }, objects: { bandwidth } },
  };
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
