import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import type { Bus, StoredMessage } from '@skerry/bus';
import {
  recordFilter,
  recordSubject,
  RECORDS_EPOCH,
  storedRecordSchema,
  STREAMS,
  type DatasetRecord,
  type DatasetRef,
  type StoredRecord,
} from '@skerry/contracts';
import { isOfAnother } from '@skerry/domain';
import { BUS, JsonLog } from '@skerry/service';
import { GivingMarks } from './giving-marks.js';
import { FencedStore } from './fenced.store.js';

const { REP } = STREAMS;
const READ_MS = 5_000;

/** What a page of records begins after, and where it ends. */
export interface Page {
  records: DatasetRecord[];
  upTo: number;
  more: boolean;
}

/** Stream `REP`: the newest word of each store on each key. Its head is the sequence of the newest record, 0 when there is none. */
@Injectable()
export class RecordsStore extends FencedStore<StoredRecord, number> {
  /** By which sites give each other what is on its way here. */
  readonly marks: GivingMarks;

  constructor(@Inject(BUS) bus: Bus, @Inject(JsonLog) log: JsonLog) {
    const kind = {
      stream: REP.name,
      epochs: RECORDS_EPOCH,
      schema: storedRecordSchema,
      filter: recordFilter,
      numberOf: ({ write }: StoredRecord) => write,
      headOf: (sequence: number) => sequence,
    };
    super(bus, kind, log);
    this.marks = new GivingMarks(bus, log);
  }

  /** Whether what a copy has read up to a place is not what lies here now: what it sent before may be lost here too. */
  async hasLost(
    ref: DatasetRef,
    read: { cursor: number; streamEpoch?: number | undefined },
  ): Promise<boolean> {
    return isOfAnother(await this.allEpochs(), read) || read.cursor > (await this.head(ref));
  }

  /** Stores records of one store, all or none; the sequence of the last. Throws when this instance is not the active one. */
  async append(
    ref: DatasetRef,
    origin: string,
    records: readonly Omit<DatasetRecord, 'origin'>[],
  ): Promise<number> {
    const { sequence } = await this.write(async (expect) => {
      const items = records.map((record, at) => ({
        subject: recordSubject(ref, origin, keyToken(record.key)),
        body: stored(ref, origin, record),
        // One condition holds for all of a transaction.
        ...(at === 0 ? { expect } : {}),
      }));
      return await this.bus.publishBatch(items);
    });
    const number = records.reduce((n, { write }) => Math.max(n, write), 0);
    this.wrote(ref, sequence, { origin, number });
    return sequence;
  }

  /** Records after a sequence, as many as go into a message. */
  async page(ref: DatasetRef, after: number): Promise<Page> {
    const range = { filter: recordFilter(ref), after, head: await this.head(ref) };
    const { items, ...page } = await this.pageOf(ref, range, (record) => [withoutRef(record)]);
    return { records: items, ...page };
  }

  /** How many records of a dataset lie after a sequence, and when the first of them was stored. */
  async behind(ref: DatasetRef, after: number): Promise<{ records: number; sinceMs?: number }> {
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
}

/** One token for a key, whatever is in it: 128 bits of its digest. */
export function keyToken(key: string): string {
  return createHash('sha256').update(key).digest().subarray(0, 16).toString('base64url');
}

function stored(ref: DatasetRef, origin: string, record: Omit<DatasetRecord, 'origin'>): StoredRecord {
  const { project, name, incarnation } = ref;
  return { kind: 'Record', project, name, incarnation, origin, ...record };
}

function withoutRef({ origin, key, write, state, sealed }: StoredRecord): DatasetRecord {
  return { origin, key, write, state, ...(sealed && { sealed }) };
}
