import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { copySchema, LIMITS, type Copy as CopyRule, type Manifest } from '@skerry/contracts';
import { SEAL_BYTES } from '@skerry/domain';
import { Copies } from '../datasets/copies.js';
import { makeLog } from '../log.js';
import { Objects } from './objects.js';
import { operateObjects } from './operate-objects.js';
import { Uploads } from './uploads.js';

const DATASET = 'shop.vault';
const TYPE = { contentType: 'text/plain' };
const log = makeLog('error');
const secret = randomBytes(32).toString('base64');
const keysFile = (id: string) =>
  JSON.stringify({ incarnation: 1, keys: [{ id: id.repeat(32), area: 'eu', secret }] });

const RULE: CopyRule = copySchema.parse({
  project: 'shop',
  name: 'vault',
  incarnation: 1,
  generation: 1,
  conflicts: 'newest',
  limits: { keys: 100, bytes: 1_000_000, valueBytes: 1_000 },
  encryption: { at: 'site' },
  residency: { stay: ['eu'] },
  objects: { fetch: 'ahead', bandwidth: [] },
});
async function* parts(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

describe('objects of an encrypted dataset at a node', () => {
  let dir: string;
  let copies: Copies;
  let objects: Objects;
  const keys = () => join(dir, 'datasets');
  const giveKey = async (id = 'a') => await writeFile(join(keys(), `${DATASET}.keys`), keysFile(id));
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'skerry-sealed-objects-'));
    await mkdir(keys());
    copies = await Copies.open(keys(), { site: 'eu', node: 'n', log });
    objects = await Objects.open(join(dir, 'objects'), copies, { log, keys: keys() });
    await copies.want(RULE);
  });
  afterEach(async () => {
    await objects.close();
    await copies.close();
    await rm(dir, { recursive: true });
  });

  const put = async (key: string, bytes: Uint8Array) => await objects.put(DATASET, key, parts(bytes), TYPE);
  const manifestOf = (key: string): Manifest => {
    const manifest = objects.newest(DATASET, key);
    if (manifest === undefined) throw new Error(`no ${key}`);
    return manifest;
  };
  const read = async (key: string, from = 0): Promise<Buffer> => {
    const open = await objects.read(DATASET, key);
    const got: Uint8Array[] = [];
    try {
      for await (const part of open.from(from)) got.push(part);
    } finally {
      open.end();
    }
    return Buffer.concat(got);
  };

  it('lie there sealed, are read in clear, and share what they have in common', async () => {
    await giveKey();
    const bytes = Buffer.concat([Buffer.from('secret'), randomBytes(900_000), Buffer.alloc(600_000)]);
    expect(await put('m', bytes)).toMatchObject({
      size: bytes.length,
      haveBytes: bytes.length,
      complete: true,
    });
    const chunks = (await objects.chunks(manifestOf('m'))) ?? [];
    expect(Math.max(...chunks.map((chunk) => chunk.bytes))).toBeLessThanOrEqual(LIMITS.chunkBytes);
    const first = await objects.pool.read(chunks[0]?.digest ?? '');
    const plain = bytes.subarray(0, (first?.length ?? 0) - SEAL_BYTES);
    expect(first?.includes('secret')).toBe(false);
    expect(objects.pool.has(digest(plain))).toBe(false);
    expect((await read('m')).equals(bytes)).toBe(true);
    expect((await read('m', 333_333)).equals(bytes.subarray(333_333))).toBe(true);
    const before = objects.pool.size;
    await put('again', bytes);
    expect(objects.pool.size).toBe(before);
    await put('empty', new Uint8Array(0));
    expect(await read('empty')).toHaveLength(0);
  });

  it('are neither written nor read while there is no key, and that is said', async () => {
    await expect(put('m', randomBytes(10))).rejects.toThrow('has no key of it yet');
    await giveKey();
    await put('m', randomBytes(10));
    await giveKey('b');
    await expect(read('m')).rejects.toThrow('the key of this object of shop/vault is not here yet');
  });

  it('that are not what their digest says are not read to the end', async () => {
    await giveKey();
    await put('m', randomBytes(400_000));
    const forged = { ...manifestOf('m'), digest: `sha256:${'0'.repeat(64)}` };
    await copies.get(DATASET)?.copy.write('m', { verb: 'put', value: JSON.stringify(forged) });
    await expect(read('m')).rejects.toThrow('not what its digest says');
  });

  it('do not pass the hub in clear, whatever people ask there', async () => {
    await giveKey();
    await put('m', randomBytes(10));
    const desk = { objects, uploads: new Uploads(join(dir, 'uploads')), site: 'eu', node: 'n' };
    const vault = { project: 'shop', name: 'vault', key: 'm' };
    for (const asked of [
      operateObjects(desk, { verb: 'read', ...vault, offset: 0 }),
      operateObjects(desk, { verb: 'state', ...vault }),
    ])
      await expect(asked).rejects.toThrow('shop/vault is encrypted');
  });
});
