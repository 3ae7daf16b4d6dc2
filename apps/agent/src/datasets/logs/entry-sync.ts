import { setTimeout as sleep } from 'node:timers/promises';
import type { Bus } from '@skerry/bus';
import {
  entriesAnswerSchema,
  entryPageSchema,
  parseAcross,
  SITE,
  type EntriesAnswer,
  type EntryDelivery,
  type LogItem,
} from '@skerry/contracts';
import { reason, type Log } from '../../log.js';
import { Repeated } from '../repeated.js';
import type { EntryLog, Heard } from './entry-log.js';

const ANSWER_MS = 3_000;
const RETRY_MS = 250;
const RETRY_MAX_MS = 2_000;
/** What the hub refuses for good is offered again this often: its rules may change. */
const REFUSED_MS = 30_000;

export interface EntrySyncOptions {
  /** Whether the hub has not been heard for a while: then nothing is tried. */
  silent: () => boolean;
  /** Where both are has to be said again. */
  greet: () => void;
  log: Log;
}

/**
 * One log's way up and down: one batch on its way at a time in each direction, neither waiting for the other. A backlog goes in
 * batches in its order, so what is written last comes last; other logs and other sites have their turn between any two.
 */
export class EntrySync {
  private readonly ended = new AbortController();
  private readonly sending = new Repeated(async () => await this.sendAll());
  private readonly pulling = new Repeated(async () => await this.pullAll());
  private head = 0;
  /** Deliveries one after the other: room is made for one at a time. */
  private hearing: Promise<void> = Promise.resolve();

  constructor(
    private readonly bus: Bus,
    private readonly entries: EntryLog,
    private readonly options: EntrySyncOptions,
  ) {}

  get incarnation(): number {
    return this.entries.rule.incarnation;
  }

  stop(): void {
    this.ended.abort();
  }

  /** Where the hub is with this log. */
  async heardWhere({ head, stored }: { head: number; stored: number | undefined }): Promise<void> {
    if (stored !== undefined && !this.sending.runs) await this.entries.hubHas(stored);
    // A stream that ends before what was read of it is another one.
    if (head < this.entries.position) await this.entries.readAgain();
    this.head = head;
    this.send();
    this.pull();
  }

  /** Something came down. */
  hear({ items, after, upTo }: EntryDelivery): void {
    this.head = Math.max(this.head, upTo);
    this.hearing = this.hearing
      .then(async () => await this.taken(items, { after, upTo }))
      .catch((error: unknown) => this.options.log.warn('entries were not taken', { reason: reason(error) }));
  }

  /** Sends what the hub has not got, until it has all. */
  send(): void {
    this.sending.ask();
  }

  private async taken(items: readonly LogItem[], at: { after: number; upTo: number }): Promise<void> {
    if ((await this.entries.take(items, at)) !== 'taken') this.pull();
  }

  private pull(): void {
    if (this.entries.rule.flow !== 'collect') this.pulling.ask();
  }

  private async sendAll(): Promise<void> {
    for (let pause = RETRY_MS; this.goesOn() && this.entries.unsent > 0;) {
      try {
        const answer = await this.offer();
        if (answer.ok || (answer.code === 'behind' && answer.stored !== undefined)) {
          await this.entries.hubHas(answer.stored ?? 0);
          if (answer.ok) pause = RETRY_MS;
          else await this.rest(pause);
          continue;
        }
        await this.heedRefusal(answer, pause);
      } catch (error) {
        this.options.log.debug('the hub did not take entries', { reason: reason(error) });
        await this.rest(pause);
      }
      pause = Math.min(pause * 2, RETRY_MAX_MS);
    }
  }

  private async offer(): Promise<EntriesAnswer> {
    const { project, name, incarnation } = this.entries.rule;
    const [, store] = this.entries.origin.split('.');
    const body = { project, name, incarnation, store, ...(await this.entries.unsentEntries()) };
    const answer = await this.bus.request(SITE.entries, body, { timeoutMs: ANSWER_MS });
    const parsed = parseAcross(entriesAnswerSchema, answer.json());
    if (!parsed.ok) throw new Error('an answer that is none');
    return parsed.value;
  }

  private async heedRefusal(answer: Extract<EntriesAnswer, { ok: false }>, pause: number): Promise<void> {
    const { code, reason: why, retryAfterMs } = answer;
    if (code !== 'refused') {
      // The rule may be another by now.
      if (pause >= RETRY_MAX_MS) this.options.greet();
      return await this.rest(Math.max(retryAfterMs, pause));
    }
    const { project, name } = this.entries.rule;
    this.entries.trouble = `the hub does not take entries of ${project}/${name}: ${why}`.slice(0, 200);
    this.options.log.error('the hub refuses entries', {
      alarm: 'entries-refused',
      project,
      name,
      reason: why,
    });
    this.options.greet();
    await this.rest(REFUSED_MS);
  }

  private async pullAll(): Promise<void> {
    for (let pause = RETRY_MS; this.goesOn() && this.entries.position < this.head;) {
      try {
        const heard = await this.pullPage();
        if (heard === 'no') return;
        if (heard === 'taken') pause = RETRY_MS;
        // Own entries go up first: there is no room for others before.
        else await this.rest(RETRY_MS);
      } catch (error) {
        this.options.log.debug('a log was not read', { reason: reason(error) });
        await this.rest(pause);
        pause = Math.min(pause * 2, RETRY_MAX_MS);
      }
    }
  }

  /** `no`: the hub does not give it to this site, or has no more. */
  private async pullPage(): Promise<Heard | 'no'> {
    const { project, name, incarnation } = this.entries.rule;
    const after = this.entries.position;
    const body = { project, name, incarnation, after };
    const answer = await this.bus.request(SITE.entryPull, body, { timeoutMs: ANSWER_MS });
    const parsed = parseAcross(entryPageSchema, answer.json());
    if (!parsed.ok) throw new Error('an answer that is none');
    if (!parsed.value.ok) {
      this.options.greet();
      return 'no';
    }
    const { items, upTo } = parsed.value;
    if (upTo <= after) return 'no';
    return await this.entries.take(items, { after, upTo });
  }

  /** While the hub is away nothing is tried; when it is heard again, who looks for it begins anew. */
  private goesOn(): boolean {
    return !this.ended.signal.aborted && !this.options.silent();
  }

  private async rest(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.ended.signal }).catch(() => undefined);
  }
}
