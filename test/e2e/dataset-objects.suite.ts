import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import type { SkerryClient } from '@skerry/client';
import { chunkFilter, frame, SITE, STREAMS, type ChunkRef } from '@skerry/contracts';
import type { LeafAttacker } from '../bus/leaf-attacker.js';
import { eventually, type CloudUnderTest } from './cloud-under-test.js';

/** A cloud whose hub is in `eu` and `us`, with sites `one` and `two` in `eu`, and `far` in `us`. */
export interface ObjectWallsCloud {
  under: CloudUnderTest;
  client: SkerryClient;
  fetchAt: (site: string, path: string, init?: RequestInit) => Promise<Response>;
  make: (name: string, spec: object, sites?: readonly string[]) => Promise<void>;
  thiefOf: (site: string) => Promise<LeafAttacker>;
}

const ORIGIN = { origin: { among: ['eu', 'us'] } };

/** Registers the cases: files that stay in their area, and files that the hub may not read. */
export function objectWallsSuite(cloud: () => ObjectWallsCloud): void {
  it('a file stays in the area where it was written, and its chunks are given to no site of another that has them not itself', async () => {
    const { make, thiefOf } = cloud();
    await make('plans', { type: 'objects', residency: ORIGIN });
    const mark = `plan of eu ${randomBytes(8).toString('hex')}`;
    const plan = fileWith(mark);
    await put('one', 'plans/plan', plan);
    await untilRead('two', 'plans/plan', plan);
    const chunk = await chunkWith('one', mark);
    const thief = await thiefOf('far');
    try {
      for (const subject of ['>', 'dl.>', 'chunk.>', 'rpc.>', '_INBOX.>']) thief.subscribe(subject);
      const plans = { project: 'test', name: 'plans', incarnation: 1 };
      thief.publish(SITE.pull, JSON.stringify({ ...plans, after: 0 }), '_INBOX.thief.pull');
      thief.publish(SITE.chunkAsk, JSON.stringify({ ...plans, lists: [chunk] }), '_INBOX.thief.ask');
      const get = () =>
        thief.publish(SITE.chunkGet, JSON.stringify({ ...plans, ...chunk }), '_INBOX.thief.get');
      get();
      await thief.wait(/_INBOX\.thief\.pull[^]*"records":\[\]/);
      await thief.wait(new RegExp(`_INBOX\\.thief\\.ask[^]*"missing":\\[\\{"digest":"${chunk.digest}`));
      await thief.wait(/_INBOX\.thief\.get[^]*"code":"absent"/);
      expect(thief.text()).not.toContain(mark);
      expect((await cloud().fetchAt('far', 'plans/plan')).status).toBe(404);
      // What its own area has too is given to it.
      await put('far', 'plans/own', plan);
      await eventually(async () => (get(), thief.text().includes(mark) ? true : undefined), {
        withinMs: 15_000,
        what: 'a chunk of its own area is given',
      });
      expect((await cloud().fetchAt('two', 'plans/own')).status).toBe(404);
    } finally {
      thief.close();
    }
  }, 60_000);

  it('encrypted, a file lies at the hub as ciphertext alone, each chunk once', async () => {
    const { make, client, thiefOf } = cloud();
    const spec = { type: 'objects', encryption: { at: 'site' }, residency: { deny: ['us'] } };
    await make('scans', spec, ['one', 'two']);
    const mark = `scan ${randomBytes(8).toString('hex')}`;
    const scan = fileWith(mark);
    await eventually(async () => ((await putAt('one', 'scans/a', scan)).ok ? true : undefined), {
      withinMs: 10_000,
      what: 'the site has a key',
      everyMs: 50,
    });
    await untilRead('two', 'scans/a', scan);
    const there = await atHub('scans');
    const names = [...there.keys()].toSorted();
    await put('two', 'scans/b', scan);
    await untilRead('one', 'scans/b', scan);
    expect([...(await atHub('scans')).keys()].toSorted()).toEqual(names);
    const bytes = Buffer.concat([...there.values()]);
    expect(bytes.length).toBeGreaterThan(scan.length);
    expect(bytes.includes(mark)).toBe(false);
    expect(bytes.includes(scan.subarray(300_000, 300_032))).toBe(false);
    expect((await cloud().fetchAt('far', 'scans/a')).status).toBe(404);
    const read = { verb: 'read' as const, project: 'test', name: 'scans', key: 'a', offset: 0 };
    await expect(client.askObject(read, { site: 'one' })).rejects.toThrow('is encrypted');
    const thief = await thiefOf('two');
    try {
      thief.subscribe('_INBOX.>');
      const clear = Buffer.from('in clear');
      const digest = createHash('sha256').update(clear).digest('hex');
      // As text, since the head is no longer than 127.
      const framed = frame({ project: 'test', name: 'scans', incarnation: 1, digest }, clear);
      thief.publish(SITE.chunkPut, Buffer.from(framed).toString('latin1'), '_INBOX.thief.put');
      await thief.wait(/_INBOX\.thief\.put[^]*in clear, and the dataset is encrypted/);
    } finally {
      thief.close();
    }
  }, 60_000);

  async function put(site: string, path: string, bytes: Buffer): Promise<void> {
    expect((await putAt(site, path, bytes)).status).toBe(200);
  }

  async function putAt(site: string, path: string, bytes: Buffer): Promise<Response> {
    return await cloud().fetchAt(site, path, { method: 'PUT', body: bytes });
  }

  /** Chunks of a dataset in the hub's stream, by subject. */
  async function atHub(name: string): Promise<Map<string, Uint8Array>> {
    const chunks = new Map<string, Uint8Array>();
    let caughtUp: () => void = () => undefined;
    const all = new Promise<void>((resolve) => (caughtUp = resolve));
    const following = await cloud().under.admin.follow(
      STREAMS.CHUNKS.name,
      (m) => void chunks.set(m.subject, Uint8Array.from(m.data)),
      { from: 1, filters: [chunkFilter({ project: 'test', name })], onCaughtUp: () => caughtUp() },
    );
    await all;
    await following.drain();
    return chunks;
  }

  async function untilRead(site: string, path: string, bytes: Buffer): Promise<void> {
    await eventually(
      async () => {
        const got = await cloud().fetchAt(site, path);
        return got.ok && bytes.equals(Buffer.from(await got.arrayBuffer())) ? true : undefined;
      },
      { withinMs: 10_000, what: `${path} is read at ${site}`, everyMs: 50 },
    );
  }

  /** The chunk of a site's disk in which a text is. */
  async function chunkWith(site: string, text: string): Promise<ChunkRef> {
    const folder = join(cloud().under.cloud.paths.site(site), 'state', 'objects', 'chunks');
    const files = await readdir(folder, { recursive: true, withFileTypes: true });
    for (const { name, parentPath } of files.filter((file) => file.isFile())) {
      const bytes = await readFile(join(parentPath, name));
      if (bytes.includes(text)) return { digest: name, bytes: bytes.length };
    }
    throw new Error(`no chunk of ${site} has ${text}`);
  }
}

/** Some chunks of bytes, with a text in the first. */
function fileWith(text: string): Buffer {
  return Buffer.concat([Buffer.from(text), randomBytes(400_000)]);
}
