import { setTimeout as sleep } from 'node:timers/promises';
import { done, retry, type Bus, type Outcome, type StoredMessage, type Subscription } from '@skerry/bus';
import {
  intakeAnswerSchema,
  JETSTREAM_API,
  journalEntrySchema,
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
/** What follows at once goes with it. */
const LINGER_MS = 20;
/** Entries read from a stream and not yet with the hub. */
const WINDOW = 400;
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
  settle: (outcome: Outcome) => void;
}

export interface JournalUplinkOptions {
  journalBytes: number;
  log: Log;
}

/**
 * Carries the site's journal to the hub, in batches one after the other, behind the reports. What the hub has stays here until
 * room is needed: a site tells its own story without the hub, too.
 */
export class JournalUplink {
  private readonly carrying: WhileHubAnswers;
  private batch: Taken[] = [];
  private timer: NodeJS.Timeout | undefined;
  private sending = Promise.resolve();
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

  private async consume(ending: AbortSignal): Promise<Subscription> {
    this.ending = ending;
    ending.addEventListener('abort', () => this.settle(this.batch.splice(0), AT_ONCE), { once: true });
    const both = await Promise.all(
      (['JOURNAL', 'EVENTS'] as const).map(
        async (stream) =>
          await this.bus.consume(
            {
              stream,
              durable: CONSUMER,
              app: 'agent',
              concurrency: WINDOW,
              orderBy: ({ sequence }) => String(sequence),
              maxDeliveries: Infinity,
              ackWaitMs: ACK_WAIT_MS,
            },
            async (m) => await this.take(m),
          ),
      ),
    );
    return { drain: async () => void (await Promise.all(both.map(async (c) => await c.drain()))) };
  }

  private async take(m: StoredMessage): Promise<Outcome> {
    const parsed = parseAcross(journalEntrySchema, m.json());
    if (!parsed.ok) return done;
    if (this.ending.aborted) return AT_ONCE;
    return await new Promise((settle) => {
      this.batch.push({ entry: parsed.value, settle });
      if (this.batch.length >= BATCH) this.flush();
      else this.timer ??= setTimeout(() => this.flush(), LINGER_MS);
    });
  }

  private flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const batch = this.batch.splice(0, BATCH);
    if (batch.length === 0) return;
    this.sending = this.sending.then(async () =>
      this.settle(batch, await this.send(batch.map((b) => b.entry))),
    );
  }

  private settle(batch: readonly Taken[], outcome: Outcome): void {
    for (const { settle } of batch) settle(outcome);
  }

  private async send(entries: JournalEntry[]): Promise<Outcome> {
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
        void this.makeRoom();
        return done;
      }
      const { code, retryAfterMs } = parsed.value;
      if (code !== 'refused') return retry({ afterMs: Math.max(retryAfterMs, PAUSE_MS) });
      this.options.log.error('the hub refuses a part of the journal', {
        alarm: 'journal-refused',
        reason: parsed.value.reason,
      });
      return done;
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
