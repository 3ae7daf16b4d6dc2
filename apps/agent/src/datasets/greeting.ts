import { setTimeout as sleep } from 'node:timers/promises';
import type { Bus } from '@skerry/bus';
import { reason, type Log } from '../log.js';
import { Repeated } from './repeated.js';

/** What is here is compared with the hub this often, whatever else. */
const EVERY_MS = 5 * 60_000;
const RETRY_MS = 250;
/** A hub that answers nothing is asked this seldom; one that comes back is asked at once. */
const RETRY_MAX_MS = 30_000;

export interface GreetingOptions {
  /** Says where this node is, and does what the answer says. */
  exchange: () => Promise<void>;
  /** Of what, for the log. */
  what: string;
  log: Log;
}

/** Says to the hub where this node is: with each connection, now and then, and when asked to; again until there is an answer. */
export class Greeting {
  private readonly greeting = new Repeated(async () => await this.untilAnswered());
  private readonly ended = new AbortController();
  private resting = new AbortController();
  private pauseMs = RETRY_MS;
  private timer: NodeJS.Timeout | undefined;
  private stopConnection: () => void = () => undefined;

  constructor(private readonly options: GreetingOptions) {}

  start(bus: Bus): void {
    this.timer = setInterval(() => this.ask(), EVERY_MS).unref();
    this.stopConnection = bus.onConnection((connected) => connected && this.ask());
    this.ask();
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.ended.abort();
    this.stopConnection();
    clearInterval(this.timer);
    await this.greeting.settled();
  }

  /** Greets at once; once more when that is under way. */
  ask(): void {
    this.pauseMs = RETRY_MS;
    this.resting.abort();
    this.greeting.ask();
  }

  private async untilAnswered(): Promise<void> {
    const { signal } = this.ended;
    const { exchange, what, log } = this.options;
    while (!signal.aborted) {
      try {
        return await exchange();
      } catch (error) {
        log.debug(`the hub says nothing of ${what}`, { reason: reason(error) });
        this.resting = new AbortController();
        const ends = AbortSignal.any([signal, this.resting.signal]);
        await sleep(this.pauseMs, undefined, { signal: ends }).catch(() => undefined);
        this.pauseMs = Math.min(this.pauseMs * 2, RETRY_MAX_MS);
      }
    }
  }
}
