import { createHash } from 'node:crypto';
import { LIMITS, type ChunkRef } from '@skerry/contracts';
import { chunkEnd, SEAL_BYTES } from '@skerry/domain';
import { sealChunk } from '../sealing/chunk-box.js';
import type { HeldKey } from '../sealing/record-box.js';
import { digestOf, type ChunkHold, type ChunkPool } from './chunk-pool.js';

/** Chunks on their way to the disk at once. */
const WRITES = 4;
/** What is read before it is cut: the more, the less is copied. */
const BLOCK_BYTES = 4 * LIMITS.chunkBytes;

/** What was read of a stream, all of it now in the pool. */
export interface CutStream {
  chunks: ChunkRef[];
  size: number;
  /** SHA-256 of all bytes, hexadecimal. */
  digest: string;
}

export interface CutOptions {
  hold: ChunkHold;
  /** Called with the bytes so far; throws when they are too many. */
  allow: (bytes: number) => void;
  /** Of an encrypted dataset: what each chunk is sealed with before it is named and written. */
  sealedBy?: HeldKey | undefined;
}

/** Cuts what comes into chunks, and puts these into the pool; those that are there already are not written again. */
export async function cutStream(
  source: AsyncIterable<Uint8Array>,
  pool: ChunkPool,
  { hold, allow, sealedBy }: CutOptions,
): Promise<CutStream> {
  const whole = createHash('sha256');
  const cut: CutStream = { chunks: [], size: 0, digest: '' };
  const writes = new Set<Promise<void>>();
  let failure: Failure | undefined;
  const most = LIMITS.chunkBytes - (sealedBy === undefined ? 0 : SEAL_BYTES);
  const keep = async (plain: Uint8Array) => {
    const bytes = sealedBy === undefined ? plain : sealChunk(plain, sealedBy);
    const digest = digestOf(bytes);
    hold.add(digest);
    cut.chunks.push({ digest, bytes: bytes.length });
    if (pool.has(digest)) return;
    const write: Promise<void> = pool
      .put(digest, bytes)
      .catch((error: unknown) => (failure ??= { error }))
      .then(() => void writes.delete(write));
    writes.add(write);
    if (writes.size >= WRITES) await Promise.race(writes);
    throwIf(failure);
  };
  try {
    for await (const { block, isAll } of blocks(source)) {
      let from = 0;
      for (
        let end = chunkEnd(block.bytes, 0, { isAll, most });
        end !== undefined;
        end = chunkEnd(block.bytes, from, { isAll, most })
      ) {
        const bytes = block.bytes.subarray(from, end);
        whole.update(bytes);
        cut.size += bytes.length;
        allow(cut.size);
        await keep(bytes);
        from = end;
      }
      block.bytes = block.bytes.subarray(from);
    }
  } finally {
    // Nothing is written behind the back of who gives up.
    await Promise.all(writes);
  }
  throwIf(failure);
  cut.digest = whole.digest('hex');
  return cut;
}

interface Failure {
  error: unknown;
}

function throwIf(failure: Failure | undefined): void {
  if (failure !== undefined) throw failure.error;
}

/** Gathers what comes until there is enough to cut; who cuts leaves in the block what is for the next one. */
async function* blocks(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<{ block: { bytes: Uint8Array }; isAll: boolean }> {
  const block = { bytes: new Uint8Array(0) };
  let parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of source) {
    parts.push(part);
    bytes += part.length;
    if (bytes < BLOCK_BYTES) continue;
    block.bytes = Buffer.concat([block.bytes, ...parts]);
    [parts, bytes] = [[], 0];
    yield { block, isAll: false };
  }
  block.bytes = Buffer.concat([block.bytes, ...parts]);
  yield { block, isAll: true };
}
