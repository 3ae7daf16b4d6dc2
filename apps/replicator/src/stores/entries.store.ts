import { Inject, Injectable } from '@nestjs/common';
import type { Bus, StoredMessage } from '@skerry/bus';
import {
  ENTRIES_EPOCH,
  entriesFilter,
  entriesSubject,
  JETSTREAM_API,
  LIMITS,
  parse,
  storedEntriesSchema,
  STREAMS,
  workloadKey,
  type Dataset,
  type LogItem,
  type StoredEntries,
} from '@skerry/contracts';
import { itemsOf } from '@skerry/domain';
import { BUS, JsonLog } from '@skerry/service';
import { z } from 'zod';

const { LOGS } = STREAMS;
const READ_MS = 5_000;
/** What the server answers who asks for one message, and for the subjects of a stream. */
const foundSchema = z.looseObject({
  error: z.looseObject({ code: z.number(), description: z.string().default('') }).optional(),
  message: z.looseObject({ seq: z.number(), data: z.string().default(''), time: z.string() }).optional(),
});
const subjectsSchema = z.looseObject({
  state: z.looseObject({ subjects: z.record(z.string(), z.number()).nullish() }),
});
const NOT_FOUND = 404;

type Ref = Pick<Dataset, 'project' | 'name' | 'incarnation'>;
/** A batch as it lies in the stream. */
export interface Lying {
  sequence: number;
  storedAt: number;
  batch: StoredEntries | undefined;
}
/** What is new of one origin. */
export type Batch = Pick<StoredEntries, 'origin' | 'from' | 'upTo' | 'entries'>;

/** What a page begins after, and where it ends. */
export interface EntriesPage {
  items: LogItem[];
  upTo: number;
  more: boolean;
}

/**
 * Stream `LOGS`: batches of entries, each origin's in their order and without a hole that is not told. Written by the active
 * instance alone, each write conditional on the epoch that it began with, so that what is remembered here of the stream is true.
 */
@Injectable()
export class EntriesStore {
  private epoch: number | undefined;
  /** By log, its newest message and the bytes of all that was ever stored of it. */
  private readonly heads = new Map<string, { sequence: number; totalBytes: number }>();
  /** By log and origin, up to which entry it is stored. */
  private readonly newest = new Map<string, number>();

  constructor(
    @Inject(BUS) private readonly bus: Bus,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  async begin(): Promise<void> {
    this.forget();
    this.epoch = (await this.bus.publish(ENTRIES_EPOCH, { at: new Date().toISOString() })).sequence;
  }

  end(): void {
    this.epoch = undefined;
    this.forget();
  }

  /**
   * Stores a batch; what lay there before it, and its sequence. With `messageId`, once within an hour: `duplicate` when it was
   * there. Throws when this instance is not the active one, or the stream is full.
   */
  async append(
    ref: Ref,
    batch: Batch,
    messageId?: string,
  ): Promise<{ after: number; upTo: number; duplicate: boolean }> {
    const { epoch } = this;
    if (epoch === undefined) throw new Error('not active');
    const { sequence: after, totalBytes } = await this.headOf(ref);
    const { project, name, incarnation } = ref;
    const bytes = Buffer.byteLength(JSON.stringify(batch));
    const total = totalBytes + bytes;
    const body: StoredEntries = { kind: 'Entries', project, name, incarnation, ...batch, totalBytes: total };
    const expect = { sequence: epoch, subject: ENTRIES_EPOCH };
    const options = messageId === undefined ? { expect } : { expect, messageId };
    const ack = await this.bus
      .publish(entriesSubject(ref, batch.origin), body, options)
      .catch((error: unknown) => {
        // Whether it was stored is not known: look again.
        this.forget();
        throw error;
      });
    if (ack.duplicate) return { after, upTo: after, duplicate: true };
    this.heads.set(keyOf(ref), { sequence: ack.sequence, totalBytes: total });
    this.newest.set(`${keyOf(ref)} ${batch.origin}`, batch.upTo);
    return { after, upTo: ack.sequence, duplicate: false };
  }

  /** Its newest message, and the bytes of all that was ever stored; 0 when there is none. */
  async headOf(ref: Ref): Promise<{ sequence: number; totalBytes: number }> {
    const known = this.heads.get(keyOf(ref));
    if (known !== undefined) return known;
    const last = await this.last(entriesFilter(ref));
    const totalBytes = last?.batch?.incarnation === ref.incarnation ? last.batch.totalBytes : 0;
    const head = { sequence: last?.sequence ?? 0, totalBytes };
    if (this.epoch !== undefined) this.heads.set(keyOf(ref), head);
    return head;
  }

  /** Up to which entry an origin is stored; 0 when there is none. */
  async newestOf(ref: Ref, origin: string): Promise<number> {
    const place = `${keyOf(ref)} ${origin}`;
    const known = this.newest.get(place);
    if (known !== undefined) return known;
    const last = await this.last(entriesSubject(ref, origin));
    const upTo = last?.batch?.incarnation === ref.incarnation ? last.batch.upTo : 0;
    if (this.epoch !== undefined) this.newest.set(place, upTo);
    return upTo;
  }

  /** Messages after a sequence, as many as go into one answer; of one site, or of all. */
  async page(
    ref: Ref,
    after: number,
    { site, limit = LIMITS.logItemsPerPage / 2 }: { site?: string; limit?: number } = {},
  ): Promise<EntriesPage> {
    const filter = entriesFilter(ref, site);
    const head =
      site === undefined ? (await this.headOf(ref)).sequence : ((await this.last(filter))?.sequence ?? 0);
    const page: EntriesPage = { items: [], upTo: after, more: false };
    if (head <= after) return { ...page, upTo: Math.max(head, after) };
    let bytes = 0;
    let full: () => void = () => undefined;
    const filled = new Promise<void>((resolve) => (full = resolve));
    const take = (m: StoredMessage) => {
      bytes += m.data.length;
      if (
        page.more ||
        (page.items.length > 0 && (bytes > LIMITS.recordsBytes || page.items.length >= limit))
      ) {
        page.more = true;
        return full();
      }
      page.upTo = m.sequence;
      const batch = this.read(m.json(), m.sequence);
      if (batch?.incarnation === ref.incarnation) page.items.push(...itemsOf(batch));
    };
    const following = await this.bus.follow(LOGS.name, take, { from: after + 1, filters: [filter] });
    try {
      await Promise.race([filled, following.reached(head, READ_MS)]);
    } finally {
      await following.drain();
    }
    if (!page.more) page.upTo = Math.max(page.upTo, head);
    return page;
  }

  /**
   * The first sequence from which on all that there is of a log holds; `holds` is true of everything after the first of which it is
   * true. At least the newest message is in what is found.
   */
  async seek(ref: Ref, holds: (lying: Lying) => boolean): Promise<number> {
    const filter = entriesFilter(ref);
    let [low, high] = [0, (await this.headOf(ref)).sequence];
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

  /** Deletes what lies before a sequence. How far each origin was stays known. */
  async trim(ref: Ref, before: number): Promise<void> {
    const filter = entriesFilter(ref);
    const answer = await this.bus.request(JETSTREAM_API.streamInfo(LOGS.name), { subjects_filter: filter });
    const subjects = Object.keys(subjectsSchema.parse(answer.json()).state.subjects ?? {});
    for (const subject of subjects) {
      const last = await this.last(subject);
      if (last?.batch === undefined || last.sequence >= before) continue;
      const { origin, upTo, incarnation } = last.batch;
      if (incarnation === ref.incarnation)
        await this.append(ref, { origin, from: upTo + 1, upTo, entries: [] });
    }
    await this.bus.request(JETSTREAM_API.streamPurge(LOGS.name), { filter, seq: before });
  }

  /** Deletes all of a log. */
  async drop(ref: Pick<Ref, 'project' | 'name'>): Promise<void> {
    await this.bus.purge(LOGS.name, entriesFilter(ref));
    for (const map of [this.heads, this.newest])
      for (const key of map.keys())
        if (key.startsWith(`${workloadKey(ref.project, ref.name)} `)) map.delete(key);
  }

  private forget(): void {
    this.heads.clear();
    this.newest.clear();
  }

  private async last(filter: string): Promise<Lying | undefined> {
    return await this.get({ last_by_subj: filter });
  }

  /** One message, as the stream's leader has it. */
  private async get(which: object): Promise<Lying | undefined> {
    const answer = await this.bus.request(JETSTREAM_API.messageGet(LOGS.name), which);
    const { error, message } = foundSchema.parse(answer.json());
    if (error?.code === NOT_FOUND) return undefined;
    if (error !== undefined || message === undefined)
      throw new Error(`read ${LOGS.name}: ${error?.description ?? 'no message'}`);
    const batch = this.read(JSON.parse(Buffer.from(message.data, 'base64').toString('utf8')), message.seq);
    return { sequence: message.seq, storedAt: Date.parse(message.time), batch };
  }

  private read(value: unknown, sequence: number): StoredEntries | undefined {
    const parsed = parse(storedEntriesSchema, value);
    if (parsed.ok) return parsed.value;
    this.log.error(`what lies in ${LOGS.name} at ${sequence} is no batch of entries`);
    return undefined;
  }
}

function keyOf({ project, name, incarnation }: Ref): string {
  return `${workloadKey(project, name)} ${incarnation}`;
}
