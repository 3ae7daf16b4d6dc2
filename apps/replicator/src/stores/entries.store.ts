import { Inject, Injectable } from '@nestjs/common';
import type { Bus } from '@skerry/bus';
import {
  ENTRIES_EPOCH,
  entriesFilter,
  entriesSubject,
  JETSTREAM_API,
  LIMITS,
  storedEntriesSchema,
  STREAMS,
  type DatasetRef,
  type LogItem,
  type StoredEntries,
} from '@skerry/contracts';
import { itemsOf } from '@skerry/domain';
import { BUS, JsonLog } from '@skerry/service';
import { z } from 'zod';
import { FencedStore, type Lying, type StreamPage } from './fenced.store.js';

const { LOGS } = STREAMS;
/** What the server answers who asks for the subjects of a stream. */
const subjectsSchema = z.looseObject({
  state: z.looseObject({ subjects: z.record(z.string(), z.number()).nullish() }),
});

/** What is new of one origin. */
export type Batch = Pick<StoredEntries, 'origin' | 'from' | 'upTo' | 'entries'>;

/** The newest message of a log, and the bytes of all that was ever stored of it; 0 when there is none. */
interface Head {
  sequence: number;
  totalBytes: number;
}

/**
 * Stream `LOGS`: batches of entries, each origin's in their order and without a hole that is not told. The number of a batch is
 * that of its last entry.
 */
@Injectable()
export class EntriesStore extends FencedStore<StoredEntries, Head> {
  constructor(@Inject(BUS) bus: Bus, @Inject(JsonLog) log: JsonLog) {
    const kind = {
      stream: LOGS.name,
      epochs: ENTRIES_EPOCH,
      schema: storedEntriesSchema,
      filter: (ref: DatasetRef, origin?: string) =>
        origin === undefined ? entriesFilter(ref) : entriesSubject(ref, origin),
      numberOf: ({ upTo }: StoredEntries) => upTo,
      headOf: (sequence: number, newest?: StoredEntries) => ({
        sequence,
        totalBytes: newest?.totalBytes ?? 0,
      }),
    };
    super(bus, kind, log);
  }

  /**
   * Stores a batch; what lay there before it, and its sequence. With `messageId`, once within an hour: `duplicate` when it was
   * there. Throws when this instance is not the active one, or the stream is full.
   */
  async append(
    ref: DatasetRef,
    batch: Batch,
    messageId?: string,
  ): Promise<{ after: number; upTo: number; duplicate: boolean }> {
    return await this.write(async (expect) => {
      const { sequence: after, totalBytes: before } = await this.head(ref);
      const { project, name, incarnation } = ref;
      const totalBytes = before + Buffer.byteLength(JSON.stringify(batch));
      const body: StoredEntries = { kind: 'Entries', project, name, incarnation, ...batch, totalBytes };
      const options = messageId === undefined ? { expect } : { expect, messageId };
      const ack = await this.bus.publish(entriesSubject(ref, batch.origin), body, options);
      const { sequence, duplicate } = ack;
      if (duplicate) return { after, upTo: after, duplicate };
      this.wrote(ref, { sequence, totalBytes }, { origin: batch.origin, number: batch.upTo });
      return { after, upTo: sequence, duplicate };
    });
  }

  /** Messages after a sequence, as many as go into one answer; of one site, or of all. */
  async page(
    ref: DatasetRef,
    after: number,
    { site, limit = LIMITS.logItemsPerPage / 2 }: { site?: string; limit?: number } = {},
  ): Promise<StreamPage<LogItem>> {
    const filter = entriesFilter(ref, site);
    const newest = site === undefined ? await this.head(ref) : await this.last(filter);
    const range = { filter, after, head: newest?.sequence ?? 0, limit };
    return await this.pageOf(ref, range, itemsOf);
  }

  /**
   * The first sequence from which on all that there is of a log holds; `holds` is true of everything after the first of which it is
   * true. At least the newest message is in what is found.
   */
  async seek(ref: DatasetRef, holds: (lying: Lying<StoredEntries>) => boolean): Promise<number> {
    const filter = entriesFilter(ref);
    let [low, high] = [0, (await this.head(ref)).sequence];
    while (low < high) {
      // First the first of all: mostly there is nothing to look for.
      const middle = low === 0 ? 1 : Math.floor((low + high) / 2);
      const lying = await this.get({ seq: middle, next_by_subj: filter });
      if (lying === undefined || holds(lying)) {
        if (low === 0) return 0;
        high = middle;
      } else low = Math.min(high, lying.sequence + 1);
    }
    return high;
  }

  /** Deletes what lies before a sequence. With `marks`, how far each origin was stays known. */
  async trim(ref: DatasetRef, before: number, { marks }: { marks: boolean }): Promise<void> {
    const filter = entriesFilter(ref);
    if (marks) await this.mark(ref, before);
    await this.bus.request(JETSTREAM_API.streamPurge(LOGS.name), { filter, seq: before });
  }

  /** Says once more how far an origin was of which everything lies before a sequence. */
  private async mark(ref: DatasetRef, before: number): Promise<void> {
    const filter = entriesFilter(ref);
    const answer = await this.bus.request(JETSTREAM_API.streamInfo(LOGS.name), { subjects_filter: filter });
    const subjects = Object.keys(subjectsSchema.parse(answer.json()).state.subjects ?? {});
    for (const subject of subjects) {
      const last = await this.last(subject);
      if (last?.value === undefined || last.sequence >= before) continue;
      const { origin, upTo, incarnation } = last.value;
      if (incarnation === ref.incarnation)
        await this.append(ref, { origin, from: upTo + 1, upTo, entries: [] });
    }
  }
}
