import type { StoredMessage } from './bus.js';
import type { OnAlarm } from './alarm.js';
import { pause, type Clock } from './clock.js';
import { TimedOut, Unavailable } from './errors.js';
import { inTrace } from './trace.js';

/** How often a handler that throws is tried before its message is passed over. */
const ATTEMPTS = 3;
const RETRY_MS = 100;
const DEFAULT_TIMEOUT_MS = 5_000;
/** Messages handled last of which it is known when they were stored. */
const RECENT = 4;

interface Waiter {
  sequence: number;
  resolve: () => void;
}

/**
 * What a follower has handled: messages one at a time and in order, how far it is, and who waits for that.
 * A handler that keeps throwing costs an alarm and its message, never the ones behind it.
 */
export class Progress {
  /** Sequence of the last message handled. */
  position = 0;
  /** Some of the messages handled last, each with when it was stored (ms). */
  recent: { sequence: number; storedAt: number }[] = [];
  /** Messages handled since `expect`. */
  handled = 0;
  readonly caughtUp: Promise<void>;
  private expected: number | undefined;
  private onSeen: (() => void | Promise<void>) | undefined;
  private markCaughtUp: (() => void) | undefined;
  private giveUp: (error: Error) => void = () => undefined;
  private readonly queue: StoredMessage[] = [];
  private readonly waiters = new Set<Waiter>();
  private running: Promise<void> | undefined;

  constructor(
    private readonly options: {
      handler: (m: StoredMessage) => void | Promise<void>;
      clock: Clock;
      onAlarm: OnAlarm;
      onCaughtUp?: (() => void) | undefined;
      /** Called after each message, so that the source can send more. */
      onRoom?: () => void;
    },
  ) {
    this.caughtUp = new Promise((resolve, reject) => {
      this.giveUp = reject;
      this.markCaughtUp = () => {
        this.markCaughtUp = undefined;
        options.onCaughtUp?.();
        resolve();
      };
    });
    // Most do not wait for it.
    this.caughtUp.catch(() => undefined);
  }

  /** Says that nothing more is handled: who waits until all is seen waits for nothing. */
  end(): void {
    this.giveUp(new Unavailable('not followed any more'));
  }

  /** Messages received and not yet handled. */
  get waiting(): number {
    return this.queue.length;
  }

  /** Whether something is being handled or waits to be. */
  get busy(): boolean {
    return this.running !== undefined || this.queue.length > 0;
  }

  /** Whether someone waits for what has not come yet: a position, or all that lay there at the start. */
  get awaited(): boolean {
    return this.waiters.size > 0 || this.expected !== undefined;
  }

  /** Begins with another stream of the name: what was handled says nothing about this one. */
  restart(): void {
    this.position = 0;
    this.recent = [];
  }

  /** Says how many messages lie there now. When they have been handled `onSeen` is called, in turn with the handler. */
  expect(count: number, onSeen?: () => void | Promise<void>): void {
    this.handled = 0;
    this.expected = count;
    this.onSeen = onSeen;
    if (count === 0) this.allSeen();
  }

  push(m: StoredMessage): void {
    this.queue.push(m);
    this.start();
  }

  /** Forgets what was received and not handled, for a source that will send it again. */
  clear(): void {
    this.queue.length = 0;
  }

  /** Says that there is nothing more to come of what was expected. */
  allSeen(): void {
    if (this.expected !== undefined && this.running === undefined) this.start(() => this.seen());
  }

  /** Resolves when nothing is being handled. */
  async idle(): Promise<void> {
    await this.running;
  }

  /** Says that nothing at or below `sequence` is still to come. */
  settle(sequence: number): void {
    for (const waiter of this.waiters) {
      if (waiter.sequence <= sequence) waiter.resolve();
    }
  }

  /** Resolves when `position` is at least `sequence`; rejects with `TimedOut`. */
  async reached(sequence: number, timeoutMs = DEFAULT_TIMEOUT_MS): Promise<void> {
    if (this.position >= sequence) return;
    await new Promise<void>((resolve, reject) => {
      const waiter: Waiter = {
        sequence,
        resolve: () => {
          cancel();
          this.waiters.delete(waiter);
          resolve();
        },
      };
      const cancel = this.options.clock.after(timeoutMs, () => {
        this.waiters.delete(waiter);
        reject(new TimedOut(`sequence ${sequence}: not reached in ${timeoutMs} ms, at ${this.position}`));
      });
      this.waiters.add(waiter);
    });
  }

  private start(first?: () => Promise<void> | undefined): void {
    this.running ??= this.run(first).finally(() => {
      this.running = undefined;
      if (this.queue.length > 0) this.start();
    });
  }

  private async run(first?: () => Promise<void> | undefined): Promise<void> {
    await first?.();
    for (let m = this.queue.shift(); m !== undefined; m = this.queue.shift()) {
      // Waits only where the handler does: most are synchronous, and a promise each would halve the rate.
      const running = this.attempt(m);
      if (running !== undefined) await running;
      this.handledOne(m);
      if (this.waiters.size > 0) this.settle(m.sequence);
      if (this.expected !== undefined && (this.handled >= this.expected || m.pending === 0)) {
        await this.seen();
      }
      this.options.onRoom?.();
    }
  }

  private handledOne({ sequence, storedAt }: StoredMessage): void {
    this.position = sequence;
    this.recent[this.handled % RECENT] = { sequence, storedAt };
    this.handled++;
  }

  private seen(): Promise<void> | undefined {
    const { onSeen } = this;
    this.expected = undefined;
    this.onSeen = undefined;
    this.markCaughtUp?.();
    return this.guarded(() => onSeen?.());
  }

  private guarded(act: () => void | Promise<void>): Promise<void> | undefined {
    const alarm = (error: unknown) => this.options.onAlarm({ what: 'follow, all seen', error });
    try {
      const result = act();
      return result instanceof Promise ? result.catch(alarm) : undefined;
    } catch (error) {
      alarm(error);
      return undefined;
    }
  }

  private attempt(m: StoredMessage): Promise<void> | undefined {
    try {
      const result = inTrace(
        () => m.headers,
        () => this.options.handler(m),
      );
      return result instanceof Promise ? result.catch((error: unknown) => this.again(m, error)) : undefined;
    } catch (error) {
      return this.again(m, error);
    }
  }

  private async again(m: StoredMessage, first: unknown): Promise<void> {
    const what = `handle ${m.stream} ${m.sequence}`;
    this.options.onAlarm({ what, subject: m.subject, error: first });
    for (let attempt = 2; attempt <= ATTEMPTS; attempt++) {
      await pause(this.options.clock, RETRY_MS * attempt);
      try {
        await inTrace(
          () => m.headers,
          () => this.options.handler(m),
        );
        return;
      } catch (error) {
        const last = attempt === ATTEMPTS ? ', passed over' : '';
        this.options.onAlarm({ what: `${what}${last}`, subject: m.subject, error });
      }
    }
  }
}
