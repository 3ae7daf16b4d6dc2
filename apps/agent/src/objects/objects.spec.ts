import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryServer } from '@skerry/bus';
import {
  chunkAskSchema,
  chunkGetSchema,
  chunkPutSchema,
  copySchema,
  frame,
  readFrame,
  SITE,
  type Copy as CopyRule,
  type ChunkRef,
} from '@skerry/contracts';
import { unpackList } from '@skerry/domain';
import { Copies } from '../datasets/copies.js';
import { DatasetSync } from '../datasets/dataset-sync.js';
import { makeLog } from '../log.js';
import { Objects } from './objects.js';
import { ObjectSync } from './object-sync.js';

const DATASET = 'shop.models';
const TYPE = { contentType: 'text/plain' };
const log = makeLog('error');

const rule = (name: string, objects: object = {}, generation = 1): CopyRule =>
  copySchema.parse({
    project: 'shop',
    name,
    incarnation: 1,
    generation,
    conflicts: 'newest',
    limits: { keys: 100, bytes: 1_000_000, valueBytes: 1_000 },
    objects: { fetch: 'ahead', bandwidth: [], ...objects },
  });
async function* parts(bytes: Uint8Array, size = 100_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** What the hub has of chunks, and how often each was carried. */
class Hub {
  readonly chunks = new Map<string, Uint8Array>();
  readonly carried: string[] = [];
  /** Gives no more than so many. */
  gives = Infinity;

  constructor(bus: MemoryBus) {
    bus.listen(SITE.chunkAsk, (m) => {
      const { lists } = chunkAskSchema.parse(m.json());
      const named = lists.flatMap((list) => [list, ...this.in(list)]);
      const missing = named.filter((chunk) => !this.chunks.has(chunk.digest));
      m.reply?.({ ok: true, missing, more: lists.some((list) => !this.chunks.has(list.digest)) });
    });
    bus.listen(SITE.chunkPut, (m) => {
      const framed = readFrame(m.data);
      const put = chunkPutSchema.parse(framed?.head);
      this.chunks.set(put.digest, Uint8Array.from(framed?.bytes ?? []));
      this.carried.push(put.digest);
      m.reply?.({ ok: true });
    });
    bus.listen(SITE.chunkGet, (m) => {
      const asked = chunkGetSchema.parse(m.json());
      const bytes = this.gives > 0 ? this.chunks.get(asked.digest) : undefined;
      const refusal = { ok: false, code: 'absent', retryAfterMs: 10, reason: 'not here' };
      if (bytes === undefined) return m.reply?.(frame(refusal, new Uint8Array(0)));
      this.gives -= 1;
      this.carried.push(asked.digest);
      m.reply?.(frame({ ok: true }, bytes));
    });
  }

  private in(list: ChunkRef): ChunkRef[] {
    const bytes = this.chunks.get(list.digest);
    return (bytes && unpackList(bytes)) ?? [];
  }
}

/** One node with its disk, at a bus with a hub on it. */
class Node {
  private constructor(
    readonly copies: Copies,
    readonly objects: Objects,
    readonly sync: ObjectSync,
  ) {}

  static async start(dir: string, bus: MemoryBus): Promise<Node> {
    const copies = await Copies.open(join(dir, 'datasets'), { site: 'eu', node: 'n', log });
    const objects = await Objects.open(join(dir, 'objects'), copies, { log, keys: join(dir, 'datasets') });
    const sync = new ObjectSync(bus, { objects, silentMs: () => 0, log });
    sync.start();
    return new Node(copies, objects, sync);
  }

  async stop(): Promise<void> {
    await this.sync.stop();
    await this.objects.close();
    await this.copies.close();
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    await this.objects.put(DATASET, key, parts(bytes), TYPE);
  }

  async read(key: string, from = 0): Promise<Buffer> {
    const open = await this.objects.read(DATASET, key);
    const got: Uint8Array[] = [];
    for await (const part of open.from(from)) got.push(part);
    open.end();
    return Buffer.concat(got);
  }

  /** What another node wrote, as a copy takes it from the hub. */
  async take(key: string, value: string | undefined, at: number): Promise<void> {
    const by = 'jp.00000000000000aa';
    const state = { rule: 'newest' as const, at: [at, 0] as [number, number], by, ...(value && { value }) };
    const records = [{ origin: by, key, write: at, state }];
    await this.copies.get(DATASET)?.copy.take(records, { after: 0, upTo: at });
  }
}

describe('objects at a node', () => {
  let dir: string;
  let bus: MemoryBus;
  let hub: Hub;
  const nodes: Node[] = [];
  const nodeAt = async (name: string) => {
    const node = await Node.start(join(dir, name), bus);
    nodes.push(node);
    return node;
  };
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'skerry-objects-'));
    bus = new MemoryBus(new MemoryServer());
    hub = new Hub(bus);
  });
  afterEach(async () => {
    for (const node of nodes.splice(0)) await node.stop();
    await bus.close();
    await rm(dir, { recursive: true });
  });

  const until = async (is: () => boolean | Promise<boolean>) => {
    for (const end = Date.now() + 20_000; !(await is()); await new Promise((go) => setTimeout(go, 5)))
      if (Date.now() > end) throw new Error('not so after 20 s');
  };
  const isWhole = async (node: Node, key: string) => {
    const manifest = node.objects.newest(DATASET, key);
    return manifest !== undefined && (await node.objects.isWhole(manifest));
  };
  const shown = (node: Node, key: string) => node.copies.get(DATASET)?.copy.show(key)?.value;

  it('are read as they were written, from any place on, and after a restart', async () => {
    const node = await nodeAt('a');
    await node.copies.want(rule('models'));
    const bytes = randomBytes(700_000);
    await node.put('m', bytes);
    await node.put('empty', new Uint8Array(0));
    await node.stop();
    nodes.pop();
    const again = await nodeAt('a');
    expect(digest(await again.read('m'))).toBe(digest(bytes));
    expect((await again.read('m', 333_333)).equals(bytes.subarray(333_333))).toBe(true);
    expect(await again.read('empty')).toHaveLength(0);
    await expect(again.read('nothing')).rejects.toThrow('has no key nothing');
  });

  it('share the chunks that they have in common, and what nothing names any more goes', async () => {
    const node = await nodeAt('a');
    await node.copies.want(rule('models'));
    const bytes = randomBytes(1_500_000);
    await node.put('one', bytes);
    const before = node.objects.pool.size;
    await node.put('two', Buffer.concat([bytes, Buffer.from('and more')]));
    // The last chunk, perhaps the one before, and the list.
    expect(node.objects.pool.size - before).toBeLessThanOrEqual(3);
    await node.copies.get(DATASET)?.copy.write('one', { verb: 'delete' });
    await node.copies.get(DATASET)?.copy.write('two', { verb: 'delete' });
    node.objects.sweep();
    await until(() => node.objects.pool.size === 0);
  });

  it('are refused by name where the dataset has no room, and nothing of them stays', async () => {
    const node = await nodeAt('a');
    await node.copies.want(rule('models', { bytes: 400_000, objectBytes: 300_000 }));
    await expect(node.put('m', randomBytes(300_001))).rejects.toThrow('more than 300000 bytes');
    await node.put('m', randomBytes(300_000));
    await expect(node.put('n', randomBytes(200_000))).rejects.toThrow('is full');
    const other = node.objects.put(DATASET, 'k', parts(Buffer.from('x')), {
      ...TYPE,
      digest: `sha256:${'0'.repeat(64)}`,
    });
    await expect(other).rejects.toThrow('not sha256:0');
    await node.put('m', randomBytes(100));
    node.objects.sweep();
    await until(() => node.objects.pool.size === 2);
  });

  it('go up once and come down once, and only what is missing', async () => {
    const [a, b] = [await nodeAt('a'), await nodeAt('b')];
    await a.copies.want(rule('models'));
    const bytes = randomBytes(2_000_000);
    await a.put('m', bytes);
    await until(() => hub.chunks.size === a.objects.pool.size);
    expect(hub.carried).toHaveLength(new Set(hub.carried).size);
    // The other one is cut off in the middle, and ends.
    hub.carried.length = 0;
    hub.gives = 6;
    await b.copies.want(rule('models'));
    await b.take('m', shown(a, 'm'), 1);
    await until(() => hub.gives === 0 && b.objects.pool.size === 6);
    await b.stop();
    nodes.splice(nodes.indexOf(b), 1);
    const once = [...hub.carried];
    hub.gives = Infinity;
    const again = await nodeAt('b');
    await until(async () => await isWhole(again, 'm'));
    expect(hub.carried).toHaveLength(a.objects.pool.size);
    expect(new Set(hub.carried).size).toBe(hub.carried.length);
    expect(once).toHaveLength(6);
    expect(digest(await again.read('m'))).toBe(digest(bytes));
  });

  it('are all at the hub again when it has lost them and asks for one chunk', async () => {
    const a = await nodeAt('a');
    await a.copies.want(rule('models'));
    await a.put('m', randomBytes(6_000_000));
    for (let n = 0; n < 20; n += 1) await a.put(`small-${n}`, randomBytes(100));
    await until(() => hub.chunks.size === a.objects.pool.size);
    const manifest = a.objects.newest(DATASET, 'm');
    const [lost] = (manifest && (await a.objects.chunks(manifest))) ?? [];
    hub.chunks.clear();
    hub.carried.length = 0;
    const { project, name, incarnation } = rule('models');
    bus.say(SITE.chunksWanted, { project, name, incarnation, chunks: [lost] });
    await until(() => hub.chunks.size === a.objects.pool.size);
    expect(hub.carried).toHaveLength(a.objects.pool.size);
  });

  it('are all at the hub again when it says that it has lost writes', async () => {
    const a = await nodeAt('a');
    await a.copies.want(rule('models'));
    await a.put('m', randomBytes(400_000));
    await a.put('n', randomBytes(400_000));
    await until(() => hub.chunks.size === a.objects.pool.size);
    hub.chunks.clear();
    const { copies, objects } = a;
    const ready = { measuredBy: () => undefined, isWhole: () => false, isGone: () => undefined };
    const lost = (dataset: string) => objects.lostAtHub(dataset);
    const sync = new DatasetSync(bus, { copies, ready, lost, silentMs: () => 0, log });
    const news = { copies: [{ copy: rule('models'), head: 0, stored: 0 }], gone: [] };
    bus.listen(SITE.copies, (m) => m.reply?.(news));
    await a.copies.get(DATASET)?.copy.sent(2);
    sync.start();
    await until(() => hub.chunks.size > 0);
    await until(() => hub.chunks.size === objects.pool.size);
    await until(() => copies.get(DATASET)?.copy.sentUpTo === 0);
    expect(hub.carried).toContain(objects.newest(DATASET, 'n')?.lists[0]?.digest);
    await sync.stop();
  });

  it('are seen whole: the old one until the new one is here', async () => {
    const [a, b] = [await nodeAt('a'), await nodeAt('b')];
    for (const node of [a, b]) await node.copies.want(rule('models'));
    await a.put('m', Buffer.from('old'));
    await b.take('m', shown(a, 'm'), 1);
    await until(async () => (await b.objects.marksOf(DATASET)).whole('m') !== undefined);
    const bytes = randomBytes(900_000);
    await a.put('m', bytes);
    await until(() => hub.chunks.size === a.objects.pool.size || hub.chunks.size > 4);
    hub.gives = 3;
    await b.take('m', shown(a, 'm'), 2);
    await until(() => hub.gives === 0);
    expect((await b.read('m')).toString()).toBe('old');
    const manifest = b.objects.newest(DATASET, 'm');
    if (manifest === undefined) throw new Error('no manifest');
    expect(await b.objects.entry(DATASET, 'm', manifest)).toMatchObject({
      complete: false,
      older: expect.stringMatching(/^sha256:/),
    });
    hub.gives = Infinity;
    await until(async () => await isWhole(b, 'm'));
    expect(digest(await b.read('m'))).toBe(digest(bytes));
  });

  it('come when they are read where they are fetched on demand, and again where the disk has damaged them', async () => {
    const [a, b] = [await nodeAt('a'), await nodeAt('b')];
    await a.copies.want(rule('models'));
    await b.copies.want(rule('models', { fetch: 'on-demand' }));
    const bytes = randomBytes(500_000);
    await a.put('m', bytes);
    await until(() => hub.chunks.size === a.objects.pool.size);
    await b.take('m', shown(a, 'm'), 1);
    await b.take(
      'gone',
      JSON.stringify({ ...JSON.parse(shown(a, 'm') ?? ''), lists: [{ digest: '0'.repeat(64), bytes: 36 }] }),
      2,
    );
    expect(b.objects.pool.size).toBe(0);
    expect(digest(await b.read('m'))).toBe(digest(bytes));
    const folder = join(dir, 'b', 'objects', 'chunks');
    const paths: string[] = [];
    for (const part of (await readdir(folder)).filter((name) => name.length === 2))
      for (const name of await readdir(join(folder, part))) paths.push(join(folder, part, name));
    const sizes = await Promise.all(paths.map(async (path) => (await stat(path)).size));
    const largest = paths[sizes.indexOf(Math.max(...sizes))] ?? '';
    const damaged = await readFile(largest);
    damaged[1_000] = (damaged[1_000] ?? 0) ^ 1;
    await writeFile(largest, damaged);
    expect(digest(await b.read('m'))).toBe(digest(bytes));
  });

  it('of a dataset that may not be here any more are gone from the disk', async () => {
    const node = await nodeAt('a');
    await node.copies.want(rule('models'));
    await node.put('m', randomBytes(300_000));
    await node.copies.forget(DATASET);
    await until(() => node.objects.pool.size === 0);
    await expect(node.read('m')).rejects.toThrow('no copy of shop/models');
  });

  it('travel no faster than their rule of bandwidth lets them', async () => {
    const node = await nodeAt('a');
    const [size, bytesPerSecond] = [900_000, 400_000];
    await node.copies.want(rule('models', { bandwidth: [{ bytesPerSecond }] }));
    const from = performance.now();
    await node.put('m', randomBytes(size));
    await until(() => hub.chunks.size === node.objects.pool.size);
    // A second's worth goes at once, and the last chunk is not waited for.
    const least = (size - bytesPerSecond - 2 * 262_144) / bytesPerSecond;
    expect(performance.now() - from).toBeGreaterThan(least * 1_000);
  });
});
