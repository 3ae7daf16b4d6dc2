import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Bus } from '@skerry/bus';
import {
  chunkFilter,
  chunkSubject,
  JETSTREAM_API,
  STREAMS,
  workloadKey,
  type ChunkRef,
  type DatasetRef,
} from '@skerry/contracts';
import { BUS } from '@skerry/service';
import { z } from 'zod';

const { CHUNKS } = STREAMS;

/** What of the answer to a look at a stream is read: its subjects, page by page. */
const subjectsSchema = z.looseObject({
  error: z.looseObject({ description: z.string().default('') }).optional(),
  total: z.number().default(0),
  state: z.looseObject({ subjects: z.record(z.string(), z.number()).optional() }).optional(),
});
/** Pages of subjects, 100,000 each: more than the stream holds. */
const PAGES = 50;

/** A chunk at the hub, and since when nothing names it (monotonic ms). */
export interface KeptChunk extends ChunkRef {
  unnamedSince?: number;
}
type Index = Map<string, KeptChunk>;

/**
 * Stream `CHUNKS`: each chunk of a dataset once. Which there are is read once and then remembered: the active instance alone
 * writes. A chunk is what its name says, so that it does no harm when a former one that stood still writes one late.
 */
@Injectable()
export class ChunksStore {
  private readonly indexes = new Map<string, Promise<Index>>();

  constructor(@Inject(BUS) private readonly bus: Bus) {}

  /** Forgets what is remembered: another instance writes, or did. */
  forget(): void {
    this.indexes.clear();
  }

  /** The chunks of a dataset, by digest. */
  async of(ref: DatasetRef): Promise<Index> {
    const key = keyOf(ref);
    const known = this.indexes.get(key);
    if (known !== undefined) return await known;
    const reading = this.read(ref);
    this.indexes.set(key, reading);
    reading.catch(() => this.indexes.delete(key));
    return await reading;
  }

  /** Stores a chunk, when it is not there. Its bytes have to be what its digest says. */
  async put(ref: DatasetRef, chunk: ChunkRef, bytes: Uint8Array): Promise<void> {
    const index = await this.of(ref);
    const there = index.get(chunk.digest);
    if (there === undefined) {
      await this.bus.publish(chunkSubject(ref, chunk), bytes);
      index.set(chunk.digest, { digest: chunk.digest, bytes: chunk.bytes });
    } else delete there.unnamedSince;
  }

  /** A chunk's bytes; undefined when the hub has not got it. */
  async get(ref: DatasetRef, { digest }: Pick<ChunkRef, 'digest'>): Promise<Uint8Array | undefined> {
    const index = await this.of(ref);
    const there = index.get(digest);
    if (there === undefined) return undefined;
    const subject = JETSTREAM_API.directGet(CHUNKS.name, chunkSubject(ref, there));
    const { data } = await this.bus.request(subject, new Uint8Array(0));
    if (data.length === there.bytes) return data;
    // Not where it was: the stream was restored behind our back, or another server of the hub has not got it yet. Looked up anew.
    this.indexes.delete(keyOf(ref));
    return undefined;
  }

  /** Deletes one chunk. */
  async remove(ref: DatasetRef, chunk: ChunkRef): Promise<void> {
    (await this.of(ref)).delete(chunk.digest);
    await this.bus.purge(CHUNKS.name, chunkSubject(ref, chunk));
  }

  /** Deletes all chunks of a dataset; without an incarnation, of every time that it was made. */
  async drop(ref: Pick<DatasetRef, 'project' | 'name'> & { incarnation?: number }): Promise<void> {
    const { project, name, incarnation } = ref;
    const all = incarnation === undefined ? { project, name } : { project, name, incarnation };
    await this.bus.purge(CHUNKS.name, chunkFilter(all));
    const prefix = `${workloadKey(project, name)} ${incarnation ?? ''}`;
    for (const key of this.indexes.keys())
      if (incarnation === undefined ? key.startsWith(prefix) : key === prefix) this.indexes.delete(key);
  }

  private async read(ref: DatasetRef): Promise<Index> {
    const index: Index = new Map();
    for (let page = 0, seen = 0; page < PAGES; page += 1) {
      const asked = { subjects_filter: chunkFilter(ref), offset: seen };
      const answer = await this.bus.request(JETSTREAM_API.streamInfo(CHUNKS.name), asked);
      const { error, total, state } = subjectsSchema.parse(answer.json());
      if (error !== undefined) throw new Error(`look for chunks: ${error.description}`);
      const subjects = Object.keys(state?.subjects ?? {});
      for (const subject of subjects) {
        const chunk = chunkIn(subject);
        index.set(chunk.digest, chunk);
      }
      seen += subjects.length;
      if (subjects.length === 0 || seen >= total) break;
    }
    return index;
  }
}

/** SHA-256 as chunks are named by it. */
export function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function chunkIn(subject: string): KeptChunk {
  const [digest = '', bytes = ''] = subject.split('.').slice(-2);
  return { digest, bytes: Number(bytes) };
}

function keyOf({ project, name, incarnation }: DatasetRef): string {
  return `${workloadKey(project, name)} ${incarnation}`;
}
