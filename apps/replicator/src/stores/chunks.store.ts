import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Bus } from '@skerry/bus';
import {
  chunkFilter,
  chunksAt,
  chunkSubject,
  JETSTREAM_API,
  STREAMS,
  workloadKey,
  type ChunkPlace,
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
const INCARNATION_TOKEN = 3;

/** A chunk at the hub, and since when nothing names it (monotonic ms). */
export interface KeptChunk extends ChunkRef {
  unnamedSince?: number;
}
type Index = Map<string, KeptChunk>;

/**
 * Stream `CHUNKS`: each chunk of a dataset once; with `residency.origin` each chunk of an area of it, so that nobody of another area
 * can so much as ask whether it is there. Which there are is read once and then remembered: the active instance alone
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

  /** The chunks at a place, by digest. */
  async of(place: ChunkPlace): Promise<Index> {
    const key = keyOf(place);
    const known = this.indexes.get(key);
    if (known !== undefined) return await known;
    const reading = this.read(place);
    this.indexes.set(key, reading);
    reading.catch(() => this.indexes.delete(key));
    return await reading;
  }

  /** Stores a chunk, when it is not there. Its bytes have to be what its digest says. */
  async put(place: ChunkPlace, chunk: ChunkRef, bytes: Uint8Array): Promise<void> {
    const index = await this.of(place);
    const there = index.get(chunk.digest);
    if (there === undefined) {
      await this.bus.publish(chunkSubject(place, chunk), bytes);
      index.set(chunk.digest, { digest: chunk.digest, bytes: chunk.bytes });
    } else delete there.unnamedSince;
  }

  /** A chunk's bytes; undefined when the hub has not got it. */
  async get(place: ChunkPlace, { digest }: Pick<ChunkRef, 'digest'>): Promise<Uint8Array | undefined> {
    const index = await this.of(place);
    const there = index.get(digest);
    if (there === undefined) return undefined;
    const subject = JETSTREAM_API.directGet(CHUNKS.name, chunkSubject(place, there));
    const { data } = await this.bus.request(subject, new Uint8Array(0));
    if (data.length === there.bytes) return data;
    // Not where it was: the stream was restored behind our back, or another server of the hub has not got it yet. Looked up anew.
    this.indexes.delete(keyOf(place));
    return undefined;
  }

  /** Deletes one chunk. */
  async remove(place: ChunkPlace, chunk: ChunkRef): Promise<void> {
    (await this.of(place)).delete(chunk.digest);
    await this.bus.purge(CHUNKS.name, chunkSubject(place, chunk));
  }

  /** Deletes all chunks of one incarnation of a dataset. */
  async drop({ project, name, incarnation }: DatasetRef): Promise<void> {
    await this.bus.purge(CHUNKS.name, chunkFilter({ project, name, incarnation }));
    const key = keyOf({ project, name, incarnation });
    for (const place of this.indexes.keys()) if (place.startsWith(key)) this.indexes.delete(place);
  }

  /** Deletes what lies there of a removed dataset: of this incarnation and those before it. One that was made since keeps its chunks. */
  async dropRemoved({ project, name, incarnation }: DatasetRef): Promise<void> {
    const there = new Set<number>();
    for await (const subject of this.subjects(chunkFilter({ project, name })))
      there.add(Number(subject.split('.')[INCARNATION_TOKEN]));
    for (const one of there) if (one <= incarnation) await this.drop({ project, name, incarnation: one });
  }

  private async read(place: ChunkPlace): Promise<Index> {
    const index: Index = new Map();
    for await (const subject of this.subjects(chunksAt(place))) {
      const chunk = chunkIn(subject);
      index.set(chunk.digest, chunk);
    }
    return index;
  }

  /** Subjects that there are of a filter. */
  private async *subjects(filter: string): AsyncGenerator<string> {
    for (let page = 0, seen = 0; page < PAGES; page += 1) {
      const asked = { subjects_filter: filter, offset: seen };
      const answer = await this.bus.request(JETSTREAM_API.streamInfo(CHUNKS.name), asked);
      const { error, total, state } = subjectsSchema.parse(answer.json());
      if (error !== undefined) throw new Error(`look for chunks: ${error.description}`);
      const subjects = Object.keys(state?.subjects ?? {});
      yield* subjects;
      seen += subjects.length;
      if (subjects.length === 0 || seen >= total) break;
    }
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

function keyOf({ project, name, incarnation, area = '' }: ChunkPlace): string {
  return `${workloadKey(project, name)} ${incarnation} ${area}`;
}
