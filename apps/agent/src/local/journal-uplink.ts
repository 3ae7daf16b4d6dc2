import { setTimeout as sleep } from 'node:timers/promises';
import { done, retry, type Bus, type Outcome, type StoredMessage, type Subscription } from '@skerry/bus';
import {
  intakeAnswerSchema,
  JETSTREAM_API,
  journalEntrySchema,
  LIMITS,
  parseAcross,
  SITE,
  SITE_STREAMS,
  type JournalEntry,
} from '@skerry/contracts';
import { z } from 'zod';
import { reason, type Log } from '../log.js';
import { MESSAGE_ID_HEADER, messageId } from '../reports/message-id.js';
import { WhileHubAnswers } from '../reports/while-hub-answers.js';

const CONSUMER = 'uplink';
/** Entries that are put together into one message. */
const BATCH = 100;
/** Bytes of them: below the limit of a batch by what is around them. */
const BATCH_BYTES = LIMITS.journalBatchBytes - 1_024;
/** What follows at once goes with it: of single entries the hub keeps fewer. */
const LINGER_MS = 100;
/** A part of the journal that the hub refuses is offered again: a later version of the hub may take it. */
const REFUSED_RETRY_MS = 5 * 60_000;
/** Batches on their way at once: a hub a quarter of a second away takes 5,000 entries in four seconds and not in fifteen. */
const UNDER_WAY = 4;
/** Entries read from a stream and not yet with the hub. */
const WINDOW = 2 * UNDER_WAY * BATCH;
const ANSWER_MS = 5_000;
const ACK_WAIT_MS = 10_000;
const PAUSE_MS = 1_000;
/** Reports go first, but not for ever. */
const MAX_BEHIND_REPORTS_MS = 10_000;
const LOOK_MS = 100;
/** Of the journal's room, what may be taken before entries that the hub has are taken out. */
const KEPT_SHARE = 0.5;
const TAKEN_OUT_AT_ONCE = 500;

const consumerSchema = z.looseObject({ ack_floor: z.looseObject({ stream_seq: z.number() }) });

const AT_ONCE = retry({ afterMs: 0 });

interface Taken {
  entry: JournalEntry;
  bytes: number;
  settle: (outcome: Outcome) => void;
}

type JournalStream = 'JOURNAL' | 'EVENTS';

/** What of one stream goes together. */
interface Lane {
  stream: JournalStream;
  batch: Taken[];
  bytes: number;
  timer?: NodeJS.Timeout | undefined;
}

export interface JournalUplinkOptions {
  journalBytes: number;
  /** Until what the hub refuses is offered again. */
  refusedRetryMs?: number;
  log: Log;
}

/**
 * Carries the site's journal to the hub, in batches, behind the reports. What the hub has stays here until
 * room is needed: a site tells its own story without the hub, too. Events that the hub refuses are dropped; of what people did
 * and what changed for good nothing is, it is kept and offered again.
 */
export class JournalUplink {
  private readonly carrying: WhileHubAnswers;
  private readonly lanes: readonly Lane[] = (['JOURNAL', 'EVENTS'] as const).map((stream) => ({
    stream,
    batch: [],
    bytes: 0,
  }));
  /** Why the hub refuses entries of the journal, by their ids. */
  private readonly refused = new Map<string, string>();
  /** What is sent one after the other; batches take turns among them. Readers put entries into their order by time. */
  private readonly sending = Array.from({ length: UNDER_WAY }, () => Promise.resolve());
  private sent = 0;
  private ending: AbortSignal = AbortSignal.abort();

  constructor(
    private readonly bus: Bus,
    private readonly options: JournalUplinkOptions,
  ) {
    this.carrying = new WhileHubAnswers(bus, {
      log: options.log,
      open: async (ending) => await this.consume(ending),
    });
  }

  async start(): Promise<void> {
    await this.carrying.open();
  }

  async close(): Promise<void> {
    await this.carrying.drain();
  }

  /** What a person has to mend; undefined when all is well. */
  get trouble(): string | undefined {
    const [first] = this.refused.values();
    if (first === undefined) return undefined;
    return `the hub refuses ${this.refused.size} entries of this site's journal, which keeps them: ${first}`;
  }

  private async consume(ending: AbortSignal): Promise<Subscription> {
    this.ending = ending;
    ending.addEventListener('abort', () => this.letGo(), { once: true });
    const both = await Promise.all(
      this.lanes.map(
        async (lane) =>
          await this.bus.consume(
            {
              stream: lane.stream,
              durable: CONSUMER,
              app: 'agent',
              concurrency: WINDOW,
              orderBy: ({ sequence }) => String(sequence),
              maxDeliveries: Infinity,
              ackWaitMs: ACK_WAIT_MS,
            },
            async (m) => await this.take(lane, m),
          ),
      ),
    );
    return { drain: async () => void (await Promise.all(both.map(async (c) => await c.drain()))) };
  }

  private letGo(): void {
    for (const lane of this.lanes) {
      lane.bytes = 0;
      settle(lane.batch.splice(0), AT_ONCE);
    }
  }

  private async take(lane: Lane, m: StoredMessage): Promise<Outcome> {
    const parsed = parseAcross(journalEntrySchema, m.json());
    if (!parsed.ok) return done;
    if (this.ending.aborted) return AT_ONCE;
    const bytes = Buffer.byteLength(JSON.stringify(parsed.value)) + 1;
    return await new Promise((settled) => {
      if (lane.bytes + bytes > BATCH_BYTES) this.flush(lane);
      lane.batch.push({ entry: parsed.value, bytes, settle: settled });
      lane.bytes += bytes;
      if (lane.batch.length >= BATCH) this.flush(lane);
      else lane.timer ??= setTimeout(() => this.flush(lane), LINGER_MS);
    });
  }

  private flush(lane: Lane): void {
    clearTimeout(lane.timer);
    lane.timer = undefined;
    lane.bytes = 0;
    const batch = lane.batch.splice(0);
    if (batch.length === 0) return;
    const turn = this.sent++ % UNDER_WAY;
    const before = this.sending[turn] ?? Promise.resolve();
    this.sending[turn] = before.then(async () => await this.carry(lane.stream, batch));
  }

  /** Sends what goes together. Of a part of the journal that is refused each half goes alone, so that only what is wrong stays. */
  private async carry(stream: JournalStream, batch: readonly Taken[]): Promise<void> {
    const outcome = await this.send(batch.map((b) => b.entry));
    if (typeof outcome !== 'string') return settle(batch, outcome);
    if (stream === 'EVENTS') return settle(batch, done);
    if (batch.length > 1) {
      const middle = Math.ceil(batch.length / 2);
      await this.carry(stream, batch.slice(0, middle));
      return await this.carry(stream, batch.slice(middle));
    }
    for (const { entry } of batch) this.refused.set(entry.id, outcome);
    settle(batch, retry({ afterMs: this.options.refusedRetryMs ?? REFUSED_RETRY_MS }));
  }

  /** What is to become of these entries; or why the hub will never take them. */
  private async send(entries: JournalEntry[]): Promise<Outcome | string> {
    const again = retry({ afterMs: PAUSE_MS });
    if (this.ending.aborted) return AT_ONCE;
    try {
      await this.afterReports();
      const body = { kind: 'JournalBatch', site: entries[0]?.site, entries };
      const headers = { [MESSAGE_ID_HEADER]: messageId() };
      const answer = await this.bus.request(SITE.journalUplink, body, { headers, timeoutMs: ANSWER_MS });
      const parsed = parseAcross(intakeAnswerSchema, answer.json());
      if (!parsed.ok) return again;
      if (parsed.value.ok) {
        for (const { id } of entries) this.refused.delete(id);
        void this.makeRoom();
        return done;
      }
      const { code, retryAfterMs, reason: why = 'it does not say why' } = parsed.value;
      if (code !== 'refused') return retry({ afterMs: Math.max(retryAfterMs, PAUSE_MS) });
      this.options.log.error('the hub refuses a part of the journal', {
        alarm: 'journal-refused',
        entries: entries.length,
        reason: why,
      });
      return why;
    } catch (error) {
      this.options.log.debug('the hub did not take a part of the journal', { reason: reason(error) });
      this.carrying.away();
      return AT_ONCE;
    }
  }

  private async afterReports(): Promise<void> {
    const until = performance.now() + MAX_BEHIND_REPORTS_MS;
    while (performance.now() < until && !this.ending.aborted) {
      const state = await this.bus.streamState(SITE_STREAMS.OUT).catch(() => undefined);
      if ((state?.messages ?? 0) === 0) return;
      await sleep(LOOK_MS, undefined, { signal: this.ending }).catch(() => undefined);
    }
  }

  /** Takes out the oldest entries that the hub has when the journal is more than half full. */
  private async makeRoom(): Promise<void> {
    try {
      const state = await this.bus.streamState(SITE_STREAMS.JOURNAL);
      if (state === undefined || state.bytes < this.options.journalBytes * KEPT_SHARE) return;
      const info = await this.bus.request(JETSTREAM_API.consumerInfo(SITE_STREAMS.JOURNAL, CONSUMER), {});
      const parsed = consumerSchema.safeParse(info.json());
      const carried = parsed.success ? parsed.data.ack_floor.stream_seq : 0;
      const until = Math.min(carried, state.firstSequence + TAKEN_OUT_AT_ONCE - 1);
      for (let sequence = state.firstSequence; sequence <= until; sequence++) {
        await this.bus.deleteMessage(SITE_STREAMS.JOURNAL, sequence);
      }
    } catch (error) {
      this.options.log.debug('no room was made in the journal', { reason: reason(error) });
    }
  }
}

function settle(batch: readonly Taken[], outcome: Outcome): void {
  for (const { settle: settled } of batch) settled(outcome);
}
