import { LIMITS, type ChunkRef, type Manifest } from '@skerry/contracts';

/**
 * Where a file is cut: where a hash of its last 32 bytes says so (a gear hash, as in FastCDC, Xia et al., 2016). What is inserted
 * or taken out so changes the chunks around it alone, and files that share parts share chunks. How it is cut is no part of a
 * format: an object says which chunks it has.
 */
export const CHUNK_MIN_BYTES = 64 * 1024;
/** By how much a chunk of an encrypted dataset is longer than what is in it: salt, nonce and tag. */
export const SEAL_BYTES = 44;
/** After the least a cut comes every 128 KiB on average. */
const CUT_BITS = 17;
const WINDOW = 32;
const CUT_SHIFT = WINDOW - CUT_BITS;
const ENTRY_BYTES = 36;
const DIGEST_BYTES = 32;
/** Entries of one list, which has to fit a chunk. */
const PER_LIST = Math.floor(LIMITS.chunkBytes / ENTRY_BYTES);

/**
 * Where the chunk that begins at `from` ends, at the latest after `most` bytes; undefined when that depends on bytes that are not
 * here yet.
 */
export function chunkEnd(
  bytes: Uint8Array,
  from: number,
  { isAll, most = LIMITS.chunkBytes }: { isAll: boolean; most?: number },
): number | undefined {
  const left = bytes.length - from;
  if (left === 0 || (left < most && !isAll)) return undefined;
  if (left <= CHUNK_MIN_BYTES) return bytes.length;
  const end = from + Math.min(left, most);
  const least = from + CHUNK_MIN_BYTES;
  let hash = 0;
  for (let i = least - WINDOW; i < least; i += 1) hash = ((hash << 1) + gear(bytes[i])) | 0;
  for (let i = least; i < end; i += 1) {
    hash = ((hash << 1) + gear(bytes[i])) | 0;
    if (hash >>> CUT_SHIFT === 0) return i + 1;
  }
  return end;
}

/** The lists of an object's chunks: of each its digest and bytes, one after the other. */
export function packLists(chunks: readonly ChunkRef[]): Uint8Array[] {
  const lists: Uint8Array[] = [];
  for (let at = 0; at < chunks.length; at += PER_LIST) lists.push(packList(chunks.slice(at, at + PER_LIST)));
  return lists;
}

/** What a list names; undefined when it is none. */
export function unpackList(list: Uint8Array): ChunkRef[] | undefined {
  if (list.length % ENTRY_BYTES !== 0) return undefined;
  const view = new DataView(list.buffer, list.byteOffset, list.length);
  const chunks: ChunkRef[] = [];
  for (let at = 0; at < list.length; at += ENTRY_BYTES) {
    const bytes = view.getUint32(at + DIGEST_BYTES);
    if (bytes < 1 || bytes > LIMITS.chunkBytes) return undefined;
    chunks.push({ digest: hexOf(list.subarray(at, at + DIGEST_BYTES)), bytes });
  }
  return chunks;
}

/** Bytes of the object that a chunk of it holds. */
export function bytesIn({ sealedWith }: Pick<Manifest, 'sealedWith'>, { bytes }: ChunkRef): number {
  return sealedWith === undefined ? bytes : Math.max(0, bytes - SEAL_BYTES);
}

/** All chunks that lists name, in their order; undefined when these are not the lists of this object. */
export function chunksOf(
  { size, chunks: count, sealedWith }: Pick<Manifest, 'size' | 'chunks' | 'sealedWith'>,
  lists: readonly Uint8Array[],
): ChunkRef[] | undefined {
  const chunks: ChunkRef[] = [];
  for (const list of lists) {
    const named = unpackList(list);
    if (named === undefined) return undefined;
    chunks.push(...named);
  }
  const bytes = chunks.reduce((sum, chunk) => sum + bytesIn({ sealedWith }, chunk), 0);
  return chunks.length === count && bytes === size ? chunks : undefined;
}

function packList(chunks: readonly ChunkRef[]): Uint8Array {
  const list = new Uint8Array(chunks.length * ENTRY_BYTES);
  const view = new DataView(list.buffer);
  for (const [n, { digest, bytes }] of chunks.entries()) {
    const at = n * ENTRY_BYTES;
    for (let i = 0; i < DIGEST_BYTES; i += 1)
      list[at + i] = Number.parseInt(digest.slice(i * 2, i * 2 + 2), 16);
    view.setUint32(at + DIGEST_BYTES, bytes);
  }
  return list;
}

function hexOf(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += HEX[byte] ?? '';
  return text;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** A number for each byte, as good as drawn at random and the same everywhere: murmur3's last mixing of 1 to 256. */
const GEARS = Uint32Array.from({ length: 256 }, (_, byte) => {
  let h = Math.imul(byte + 1, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
});

const gear = (byte: number | undefined): number => GEARS[byte ?? 0] ?? 0;
