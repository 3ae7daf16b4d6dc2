import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { LIMITS, type BandwidthRule, type ChunkRef } from '@skerry/contracts';
import * as fc from 'fast-check';
import {
  bandwidthAt,
  CHUNK_MIN_BYTES,
  chunkEnd,
  chunksOf,
  nextWindow,
  packLists,
  permit,
  SEAL_BYTES,
} from './index.js';

/** Bytes that look like any file's and are the same each time. */
function bytesOf(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed;
  for (let i = 0; i < length; i += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[i] = state >>> 23;
  }
  return bytes;
}

/** Cuts bytes that come in pieces of any size. */
function cut(bytes: Uint8Array, pieces: readonly number[] = []): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  let from = 0;
  const take = (seen: number) => {
    const here = bytes.subarray(0, seen);
    for (let end = chunkEnd(here, from, { isAll: seen === bytes.length }); end !== undefined;) {
      chunks.push(here.subarray(from, end));
      from = end;
      end = chunkEnd(here, from, { isAll: seen === bytes.length });
    }
  };
  let seen = 0;
  for (const piece of pieces) take((seen = Math.min(bytes.length, seen + piece)));
  take(bytes.length);
  return chunks;
}
const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const names = (chunks: readonly Uint8Array[]) => chunks.map(digest);

describe('cutting a file into chunks', () => {
  const file = bytesOf(3_000_000, 7);

  it('loses and adds nothing, and keeps to the bounds', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 600_000 }),
        fc.integer({ min: 1, max: 1_000 }),
        (length, seed) => {
          const bytes = bytesOf(length, seed);
          const chunks = cut(bytes);
          expect(digest(Buffer.concat(chunks))).toBe(digest(bytes));
          for (const chunk of chunks) expect(chunk.length).toBeLessThanOrEqual(LIMITS.chunkBytes);
          for (const chunk of chunks.slice(0, -1))
            expect(chunk.length).toBeGreaterThanOrEqual(CHUNK_MIN_BYTES);
          expect(chunks.every(({ length: bytesOfChunk }) => bytesOfChunk > 0)).toBe(true);
        },
      ),
      { numRuns: 12 },
    );
  });

  it('cuts at the same places however the bytes come', () => {
    const expected = names(cut(file));
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 700_000 }), { maxLength: 12 }), (pieces) => {
        expect(names(cut(file, pieces))).toEqual(expected);
      }),
      { numRuns: 12 },
    );
  });

  it('changes few chunks where something is inserted, and finds the rest again', () => {
    const at = 1_000_000;
    const changed = Buffer.concat([file.subarray(0, at), Buffer.from('inserted'), file.subarray(at)]);
    const before = new Set(names(cut(file)));
    const after = names(cut(changed));
    expect(before.size).toBeGreaterThan(12);
    expect(after.filter((name) => !before.has(name)).length).toBeLessThanOrEqual(4);
  });

  it('keeps to a lower bound where it is given one', () => {
    const most = LIMITS.chunkBytes - SEAL_BYTES;
    expect(chunkEnd(new Uint8Array(1_000_000), 0, { isAll: true, most })).toBeLessThanOrEqual(most);
    expect(chunkEnd(bytesOf(most, 1), 0, { isAll: false, most })).toBeDefined();
    expect(chunkEnd(bytesOf(most - 1, 1), 0, { isAll: false, most })).toBeUndefined();
  });

  it('bytes that are all the same are cut too', () => {
    expect(cut(new Uint8Array(1_000_000)).length).toBeGreaterThanOrEqual(4);
  });
});

describe('the lists of an object', () => {
  const chunk = fc.record({
    digest: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((b) => Buffer.from(b).toString('hex')),
    bytes: fc.integer({ min: 1, max: LIMITS.chunkBytes }),
  });
  const sizeOf = (chunks: readonly ChunkRef[]) => chunks.reduce((sum, { bytes }) => sum + bytes, 0);

  it('name its chunks in their order, however many', () => {
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 8 }), (chunks) => {
        const told = { size: sizeOf(chunks), chunks: chunks.length };
        expect(chunksOf(told, packLists(chunks))).toEqual(chunks);
      }),
    );
    const many = Array.from({ length: LIMITS.chunksPerObject }, (_, n) => ({
      digest: n.toString(16).padStart(64, '0'),
      bytes: CHUNK_MIN_BYTES,
    }));
    const lists = packLists(many);
    expect(lists.length).toBeLessThanOrEqual(LIMITS.listsPerObject);
    expect(lists.every((list) => list.length <= LIMITS.chunkBytes)).toBe(true);
    expect(chunksOf({ size: sizeOf(many), chunks: many.length }, lists)).toEqual(many);
  });

  it('of an encrypted object name chunks that are longer than what is in them', () => {
    const chunks = [{ digest: 'ab'.repeat(32), bytes: 5 + SEAL_BYTES }];
    const told = { size: 5, chunks: 1, sealedWith: 'a'.repeat(32) };
    expect(chunksOf(told, packLists(chunks))).toEqual(chunks);
    expect(chunksOf({ ...told, size: 5 + SEAL_BYTES }, packLists(chunks))).toBeUndefined();
  });

  it('that are not those of the object are none', () => {
    const chunks = [{ digest: 'ab'.repeat(32), bytes: 5 }];
    const [list = new Uint8Array(0)] = packLists(chunks);
    expect(chunksOf({ size: 6, chunks: 1 }, [list])).toBeUndefined();
    expect(chunksOf({ size: 5, chunks: 2 }, [list])).toBeUndefined();
    expect(chunksOf({ size: 5, chunks: 1 }, [list.subarray(1)])).toBeUndefined();
    expect(chunksOf({ size: 5, chunks: 1 }, [new Uint8Array(36)])).toBeUndefined();
  });
});

describe('bandwidth', () => {
  const day = Date.UTC(2026, 0, 2);
  const at = (time: string) => day + (Number(time.slice(0, 2)) * 60 + Number(time.slice(3))) * 60_000;
  const work: BandwidthRule = { bytesPerSecond: 5_000, from: '08:00', to: '18:00' };
  const night: BandwidthRule = { bytesPerSecond: 0, from: '22:00', to: '06:00' };

  it('is that of the first rule that matches the time of day, until that ends', () => {
    const rules = [work, night, { bytesPerSecond: 9_000 }];
    expect(bandwidthAt(rules, at('08:00'))).toEqual({ bytesPerSecond: 5_000, forMs: 10 * 3_600_000 });
    expect(bandwidthAt(rules, at('17:59'))).toEqual({ bytesPerSecond: 5_000, forMs: 60_000 });
    expect(bandwidthAt(rules, at('18:00'))).toMatchObject({ bytesPerSecond: 9_000 });
    expect(bandwidthAt(rules, at('23:00'))).toEqual({ bytesPerSecond: 0, forMs: 7 * 3_600_000 });
    expect(bandwidthAt(rules, at('05:59'))).toMatchObject({ bytesPerSecond: 0 });
    expect(bandwidthAt([work], at('07:00'))).toEqual({ bytesPerSecond: undefined, forMs: 3_600_000 });
    expect(bandwidthAt([], at('07:00')).bytesPerSecond).toBeUndefined();
  });

  it('lets nothing pass at 0, and everything where nothing is said', () => {
    expect(permit([night], undefined, 1, { wallMs: at('23:00'), now: 0 })).toMatchObject({
      ok: false,
      waitMs: 7 * 3_600_000,
    });
    expect(permit([night], undefined, 1e9, { wallMs: at('12:00'), now: 0 })).toMatchObject({ ok: true });
  });

  it('never lets more pass than the rate, a second of it and one message beyond; and never stands still', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: LIMITS.chunkBytes }), { minLength: 1, maxLength: 30 });
    const rate = fc.integer({ min: LIMITS.bandwidthMinBytesPerSecond, max: 2_000_000 });
    fc.assert(
      fc.property(sizes, rate, (messages, bytesPerSecond) => {
        const rules = [{ bytesPerSecond }];
        let [now, sent, largest] = [0, 0, 0];
        let bucket: Parameters<typeof permit>[1];
        for (const bytes of messages) {
          let taken = permit(rules, bucket, bytes, { wallMs: at('12:00'), now });
          for (let tries = 0; !taken.ok; tries += 1) {
            expect(tries).toBeLessThan(3);
            expect(taken.waitMs).toBeGreaterThan(0);
            now += taken.waitMs;
            taken = permit(rules, taken.bucket, bytes, { wallMs: at('12:00'), now });
          }
          ({ bucket } = taken);
          sent += bytes;
          largest = Math.max(largest, bytes);
          expect(sent).toBeLessThanOrEqual(bytesPerSecond * (now / 1_000 + 1) + largest);
        }
      }),
    );
  });

  it('has few chunks under way where they come slowly', () => {
    expect([1, 4, 8].map((window) => nextWindow(window, 20))).toEqual([2, 5, 8]);
    expect([1, 4, 8].map((window) => nextWindow(window, 2_000))).toEqual([1, 2, 4]);
  });
});
