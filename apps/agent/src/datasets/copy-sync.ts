import { setTimeout as sleep } from 'node:timers/promises';
import type { Bus } from '@skerry/bus';
import {
  parseAcross,
  pullAnswerSchema,
  recordsAnswerSchema,
  SITE,
  type Delivery,
  type RecordsAnswer,
} from '@skerry/contracts';
import { reason, type Log } from '../log.js';
import type { Copy } from './copy.js';
import { Repeated } from './repeated.js';

const ANSWER_MS = 3_000;
const RETRY_MS = 250;
const RETRY_MAX_MS = 2_000;
/** What the hub refuses for good is offered again this often: its rules, or a clock, may change. */
const REFUSED_MS = 30_000;

export interface CopySyncOptions {
  /** Whether the hub has not been heard for a while: then nothing is tried. */
  silent: () => boolean;
  /** Where both are has to be said again: the hub does not know this copy, or is back after it was not there. */
  greet: () => void;
  /** It has everything that the hub said there is. */
  whole?: () => unknown;
  log: Log;
}

/** One copy's way up and down. One batch is on its way at a time in each direction; what is written meanwhile goes with the next. */
export class CopySync {
  private readonly ended = new AbortController();
  private readonly sending = new Repeated(async () => await this.sendAll());
  private readonly pulling = new Repeated(async () => await this.pullAll());
  private head = 0;
  /** The hub has said where it is. */
  private told = false;

  constructor(
    private readonly bus: Bus,
    private readonly copy: Copy,
    private readonly options: CopySyncOptions,
  ) {}

  get incarnation(): number {
    return this.copy.rule.incarnation;
  }

  /** By how many sequences of the hub's stream; undefined: the hub has not said where it is. */
  get behind(): number | undefined {
    return this.told ? Math.max(0, this.head - this.copy.cursor) : undefined;
  }

  stop(): void {
    this.ended.abort();
  }

  /** Where the hub is with this copy. */
  async heardWhere({
    head,
    stored,
    again,
  }: {
    head: number;
    stored: number | undefined;
    again: boolean;
  }): Promise<void> {
    if (stored !== undefined && !this.sending.runs) await this.copy.sendAgain(stored);
    // A stream that ends before what was read of it is another one.
    if (again || head < this.copy.cursor) {
      const { project, name } = this.copy.rule;
      this.options.log.warn('a copy is read again from its beginning', { project, name, head, again });
      await this.copy.readAgain();
    }
    this.head = head;
    this.told = true;
    this.noteWhole();
    this.pull();
    this.send();
  }

  /** Something came down. */
  hear({ records, after, upTo }: Delivery): void {
    this.head = Math.max(this.head, upTo);
    this.copy.take(records, { after, upTo }).then(
      (taken) => (taken === 'gap' ? this.pull() : this.noteWhole()),
      (error: unknown) => {
        this.options.log.warn('records were not taken', { reason: reason(error) });
        // Asked for until they are: this delivery does not come again.
        this.pull();
      },
    );
  }

  /** Sends what the hub has not got, until it has all. */
  send(): void {
    this.sending.ask();
  }

  private noteWhole(): void {
    if (this.behind === 0) this.options.whole?.();
  }

  private pull(): void {
    this.pulling.ask();
  }

  private async sendAll(): Promise<void> {
    let failed = false;
    for (let pause = RETRY_MS; this.goesOn() && this.copy.unsent > 0;) {
      const { records, upTo } = this.copy.unsentRecords();
      try {
        const answer = records.length === 0 ? OK : await this.offer(records);
        if (answer.ok) {
          await this.copy.sent(upTo);
          if (failed) this.options.greet();
          [failed, pause] = [false, RETRY_MS];
          continue;
        }
        await this.heedRefusal(answer, pause);
      } catch (error) {
        this.options.log.debug('the hub did not take records', { reason: reason(error) });
        failed = true;
        await this.rest(pause);
      }
      pause = Math.min(pause * 2, RETRY_MAX_MS);
    }
  }

  private async offer(records: object[]): Promise<RecordsAnswer> {
    const { project, name, incarnation } = this.copy.rule;
    const [, store] = this.copy.origin.split('.');
    const body = { project, name, incarnation, store, records };
    const answer = await this.bus.request(SITE.records, body, { timeoutMs: ANSWER_MS });
    const parsed = parseAcross(recordsAnswerSchema, answer.json());
    if (!parsed.ok) throw new Error('an answer that is none');
    return parsed.value;
  }

  private async heedRefusal(answer: Extract<RecordsAnswer, { ok: false }>, pause: number): Promise<void> {
    const { code, reason: why, retryAfterMs } = answer;
    if (code === 'unavailable') {
      // The rule may be another by now.
      if (pause >= RETRY_MAX_MS) this.options.greet();
      return await this.rest(Math.max(retryAfterMs, pause));
    }
    const { project, name } = this.copy.rule;
    this.copy.trouble = `the hub does not take writes to ${project}/${name}: ${why}`.slice(0, 200);
    if (code === 'ahead') return await this.rest(Math.max(retryAfterMs, pause));
    this.options.log.error('the hub refuses records', {
      alarm: 'records-refused',
      project,
      name,
      reason: why,
    });
    this.options.greet();
    await this.rest(REFUSED_MS);
  }

  private async pullAll(): Promise<void> {
    for (let pause = RETRY_MS; this.goesOn() && this.copy.cursor < this.head;) {
      try {
        if (!(await this.pullPage())) return;
        pause = RETRY_MS;
      } catch (error) {
        this.options.log.debug('a copy was not read', { reason: reason(error) });
        await this.rest(pause);
        pause = Math.min(pause * 2, RETRY_MAX_MS);
      }
    }
  }

  /** False when the hub does not give it to this site. */
  private async pullPage(): Promise<boolean> {
    const { project, name, incarnation } = this.copy.rule;
    const after = this.copy.cursor;
    const body = { project, name, incarnation, after };
    const answer = await this.bus.request(SITE.pull, body, { timeoutMs: ANSWER_MS });
    const parsed = parseAcross(pullAnswerSchema, answer.json());
    if (!parsed.ok) throw new Error('an answer that is none');
    if (!parsed.value.ok) {
      this.options.greet();
      return false;
    }
    const { records, upTo } = parsed.value;
    await this.copy.take(records, { after, upTo });
    this.noteWhole();
    return upTo > after;
  }

  /** While the hub is away nothing is tried; when it is heard again, who looks for it begins anew. */
  private goesOn(): boolean {
    return !this.ended.signal.aborted && !this.options.silent();
  }

  private async rest(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.ended.signal }).catch(() => undefined);
  }
}

const OK: RecordsAnswer = { ok: true };
