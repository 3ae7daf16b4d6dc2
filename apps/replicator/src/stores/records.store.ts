import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import type { Bus, StoredMessage } from '@skerry/bus';
import {
  JETSTREAM_API,
  LIMITS,
  parse,
  recordFilter,
  recordSubject,
  RECORDS_EPOCH,
  storedRecordSchema,
  STREAMS,
  workloadKey,
  type Dataset,
  type DatasetRecord,
  type StoredRecord,
} from '@skerry/contracts';
import { BUS, JsonLog } from '@skerry/service';
import { z } from 'zod';

const { REP } = STREAMS;
const READ_MS = 5_000;

/** What the server answers who asks for one message. */
const foundSchema = z.looseObject({
  error: z.looseObject({ code: z.number(), description: z.string().default('') }).optional(),
  message: z.looseObject({ seq: z.number(), data: z.string().default('') }).optional(),
});
const NOT_FOUND = 404;

type Ref = Pick<Dataset, 'project' | 'name' | 'incarnation'>;

/** What a page of records begins after, and where it ends. */
export interface Page {
  records: DatasetRecord[];
  upTo: number;
  more: boolean;
}

/**
 * Stream `REP`: the newest word of each store on each key. Written by the active instance alone: each write is conditional on the
 * epoch that it began with, so that a former one that stood still writes nothing any more, and what is remembered here of the
 * stream is true.
 */
@Injectable()
export class RecordsStore {
  private epoch: number | undefined;
  /** By dataset, the sequence of its newest record. */
  private readonly heads = new Map<string, number>();
  /** By dataset and store, the newest write of the store. */
  private readonly newest = new Map<string, number>();

  constructor(
    @Inject(BUS) private readonly bus: Bus,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  async begin(): Promise<void> {
    this.forget();
    this.epoch = (await this.bus.publish(RECORDS_EPOCH, { at: new Date().toISOString() })).sequence;
  }

  end(): void {
    this.epoch = undefined;
    this.forget();
  }

  /** Stores records of one store, all or none; the sequence of the last. Throws when this instance is not the active one. */
  async append(ref: Ref, origin: string, records: readonly Omit<DatasetRecord, 'origin'>[]): Promise<number> {
    const { epoch } = this;
    if (epoch === undefined) throw new Error('not active');
    const expect = { sequence: epoch, subject: RECORDS_EPOCH };
    const items = records.map((record, at) => ({
      subject: recordSubject(ref, origin, keyToken(record.key)),
      body: stored(ref, origin, record),
      // One condition holds for all of a transaction.
      ...(at === 0 ? { expect } : {}),
    }));
    const { sequence } = await this.bus.publishBatch(items).catch((error: unknown) => {
      // Whether it was stored is not known: look again.
      this.forget();
      throw error;
    });
    this.heads.set(keyOf(ref), sequence);
    const last = records.reduce((n, { write }) => Math.max(n, write), 0);
    const place = `${keyOf(ref)} ${origin}`;
    this.newest.set(place, Math.max(last, this.newest.get(place) ?? 0));
    return sequence;
  }

  /** Sequence of the newest record of a dataset; 0 when there is none. */
  async head(ref: Ref): Promise<number> {
    const known = this.heads.get(keyOf(ref));
    if (known !== undefined) return known;
    const head = (await this.last(recordFilter(ref)))?.sequence ?? 0;
    if (this.epoch !== undefined) this.heads.set(keyOf(ref), head);
    return head;
  }

  /** The newest write of a store in a dataset; 0 when there is none. */
  async newestOf(ref: Ref, origin: string): Promise<number> {
    const place = `${keyOf(ref)} ${origin}`;
    const known = this.newest.get(place);
    if (known !== undefined) return known;
    const record = (await this.last(recordFilter(ref, origin)))?.record;
    const write = record?.incarnation === ref.incarnation ? record.write : 0;
    if (this.epoch !== undefined) this.newest.set(place, write);
    return write;
  }

  /** Records after a sequence, as many as go into a message. */
  async page(ref: Ref, after: number): Promise<Page> {
    const head = await this.head(ref);
    if (head <= after) return { records: [], upTo: Math.max(head, after), more: false };
    const page: Page = { records: [], upTo: after, more: false };
    let bytes = 0;
    let full: () => void = () => undefined;
    const filled = new Promise<void>((resolve) => (full = resolve));
    const take = (m: StoredMessage) => {
      bytes += m.data.length;
      if (page.more || (page.records.length > 0 && bytes > LIMITS.recordsBytes)) {
        page.more = true;
        return full();
      }
      page.upTo = m.sequence;
      const record = this.read(m);
      if (record?.incarnation === ref.incarnation) page.records.push(withoutRef(record));
    };
    const following = await this.bus.follow(REP.name, take, {
      from: after + 1,
      filters: [recordFilter(ref)],
    });
    try {
      await Promise.race([filled, following.reached(head, READ_MS)]);
    } finally {
      await following.drain();
    }
    if (!page.more) page.upTo = Math.max(page.upTo, head);
    return page;
  }

  /** How many records of a dataset lie after a sequence, and when the first of them was stored. */
  async behind(ref: Ref, after: number): Promise<{ records: number; sinceMs?: number }> {
    if ((await this.head(ref)) <= after) return { records: 0 };
    let seen: (first: StoredMessage) => void = () => undefined;
    const first = new Promise<StoredMessage>((resolve) => (seen = resolve));
    const range = { from: after + 1, filters: [recordFilter(ref)] };
    const following = await this.bus.follow(REP.name, (m) => seen(m), range);
    try {
      const found = await Promise.race([first, sleep(READ_MS, undefined, { ref: false })]);
      // Removed in this moment, with its records.
      if (found === undefined) return { records: 0 };
      return { records: found.pending + 1, sinceMs: found.storedAt };
    } finally {
      await following.drain();
    }
  }

  /** Deletes all records of a dataset. */
  async drop(ref: Pick<Ref, 'project' | 'name'>): Promise<void> {
    await this.bus.purge(REP.name, recordFilter(ref));
    for (const map of [this.heads, this.newest])
      for (const key of map.keys())
        if (key.startsWith(`${workloadKey(ref.project, ref.name)} `)) map.delete(key);
  }

  private forget(): void {
    this.heads.clear();
    this.newest.clear();
  }

  /** The newest message below a subject, as the stream's leader has it. */
  private async last(
    filter: string,
  ): Promise<{ sequence: number; record: StoredRecord | undefined } | undefined> {
    const answer = await this.bus.request(JETSTREAM_API.messageGet(REP.name), { last_by_subj: filter });
    const { error, message } = foundSchema.parse(answer.json());
    if (error?.code === NOT_FOUND) return undefined;
    if (error !== undefined || message === undefined)
      throw new Error(`read ${filter}: ${error?.description ?? 'no message'}`);
    const text = Buffer.from(message.data, 'base64').toString('utf8');
    const parsed = parse(storedRecordSchema, JSON.parse(text));
    return { sequence: message.seq, record: parsed.ok ? parsed.value : undefined };
  }

  private read(m: StoredMessage): StoredRecord | undefined {
    const parsed = parse(storedRecordSchema, m.json());
    if (parsed.ok) return parsed.value;
    this.log.error(`${m.subject} in REP at ${m.sequence} is no record`);
    return undefined;
  }
}

/** One token for a key, whatever is in it: 128 bits of its digest. */
export function keyToken(key: string): string {
  return createHash('sha256').update(key).digest().subarray(0, 16).toString('base64url');
}

function stored(ref: Ref, origin: string, record: Omit<DatasetRecord, 'origin'>): StoredRecord {
  const { project, name, incarnation } = ref;
  return { kind: 'Record', project, name, incarnation, origin, ...record };
}

function withoutRef({ origin, key, write, state }: StoredRecord): DatasetRecord {
  return { origin, key, write, state };
}

function keyOf({ project, name, incarnation }: Ref): string {
  return `${workloadKey(project, name)} ${incarnation}`;
}
