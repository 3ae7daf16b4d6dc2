import type { BatchItem } from './bus.js';
import { pause } from './clock.js';
import { Conflict, TimedOut, Unavailable } from './errors.js';
import type { Store } from './store.js';

/** Written in one transaction at most; more wait for the next. */
const TOGETHER = 64;
/** How often a write is sent again that was refused though the fence stands, and after how long. */
const TRIES = 20;
const AGAIN_MS = 25;

/** What is written while the fence's own subject is at `sequence`. */
export interface Fenced {
  item: Omit<BatchItem, 'expect'>;
  fence: { subject: string; sequence: number };
}

interface Waiting extends Fenced {
  resolve: (sequence: number) => void;
  reject: (error: unknown) => void;
}

/**
 * Writes that are conditional on the sequence of one other subject. A stream with several copies refuses such a write
 * while another of the same condition is on its way through its servers ("wrong last sequence", seen with 2.15.1). So
 * one is on its way at a time, and what has come in meanwhile goes together, where the stream takes transactions.
 */
export class FencedWrites {
  private readonly waiting: Waiting[] = [];
  private sending = false;

  constructor(
    private readonly store: Store,
    private readonly stream: string,
    private readonly atomic: boolean,
  ) {}

  /** Resolves with the sequence it got; `Conflict` when the fence has moved on. */
  write(fenced: Fenced): Promise<number> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ ...fenced, resolve, reject });
      if (!this.sending) void this.send();
    });
  }

  private async send(): Promise<void> {
    this.sending = true;
    // What comes in the same turn of the event loop belongs together.
    await Promise.resolve();
    for (let next = this.take(); next.length > 0; next = this.take()) await this.sendTogether(next);
    this.sending = false;
  }

  /** The next ones that have the same condition. */
  private take(): Waiting[] {
    const [first] = this.waiting;
    if (first === undefined) return [];
    const most = this.atomic ? TOGETHER : 1;
    const other = this.waiting.findIndex((w) => !sameFence(w, first));
    return this.waiting.splice(0, Math.min(most, other < 0 ? most : other));
  }

  private async sendTogether(writes: readonly Waiting[]): Promise<void> {
    try {
      const last = await this.publish(writes);
      for (const [i, { resolve }] of writes.entries()) resolve(last - writes.length + 1 + i);
    } catch (error) {
      // One of them may be too large, or have no room: the others do not fail for it.
      if (writes.length > 1 && isRefusal(error)) for (const one of writes) await this.sendTogether([one]);
      else for (const { reject } of writes) reject(error);
    }
  }

  /** All or none; the sequence of the last. */
  private async publish(writes: readonly Waiting[]): Promise<number> {
    // The first carries the condition for all.
    const items = writes.map(({ item, fence }, i) => (i === 0 ? { ...item, expect: fence } : item));
    for (let tries = 1; ; tries += 1) {
      try {
        return (await this.store.publishBatch(items)).sequence;
      } catch (error) {
        if (!(error instanceof Conflict) || tries === TRIES || !(await this.stands(writes[0]?.fence)))
          throw error;
        await pause(this.store.clock, AGAIN_MS, new AbortController().signal);
      }
    }
  }

  /** Whether the fence is still where it was: then another write was on its way, from before a lost connection or elsewhere. */
  private async stands(fence: Fenced['fence'] | undefined): Promise<boolean> {
    if (fence === undefined) return false;
    return (await this.store.newest(this.stream, fence.subject))?.sequence === fence.sequence;
  }
}

/** Whether an error is of one of the messages: not of the fence, and not that nobody answered. */
function isRefusal(error: unknown): boolean {
  return !(error instanceof Conflict || error instanceof TimedOut || error instanceof Unavailable);
}

function sameFence({ fence: a }: Fenced, { fence: b }: Fenced): boolean {
  return a.subject === b.subject && a.sequence === b.sequence;
}
