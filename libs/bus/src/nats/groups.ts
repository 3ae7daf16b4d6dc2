import type { PublishAck } from '../bus.js';
import { TimedOut, Unavailable } from '../errors.js';
import type { Outgoing } from '../outgoing.js';

/** Messages from which a transaction costs the server less than so many single ones: each has its own costs. */
const GROUP_MIN = 24;
const GROUP_MAX = 500;
const GROUP_MAX_BYTES = 4 * 1024 * 1024;

interface Pending {
  readonly message: Outgoing;
  /** Monotonic ms. */
  readonly deadline: number;
  readonly resolve: (ack: PublishAck) => void;
  readonly reject: (error: unknown) => void;
}

export interface GroupPublisher {
  single(message: Outgoing, timeoutMs: number): Promise<PublishAck>;
  /** Stores all or none; the last one's acknowledgement. */
  all(messages: readonly Outgoing[], timeoutMs: number): Promise<PublishAck>;
}

/**
 * Group commit for one stream: what comes while something is on its way waits, and goes together in one transaction when
 * it is much (one fsync instead of one each), else as single messages. A transaction that the server refuses is sent again
 * one by one, so that each sender hears what is true of its own message.
 */
export class Group {
  private waiting: Pending[] = [];
  private busy = false;

  constructor(private readonly publisher: GroupPublisher) {}

  publish(message: Outgoing, timeoutMs: number): Promise<PublishAck> {
    return new Promise((resolve, reject) => {
      // At the end of the turn: what is sent together comes together.
      if (this.waiting.length === 0 && !this.busy) setImmediate(() => void this.pump());
      this.waiting.push({ message, deadline: performance.now() + timeoutMs, resolve, reject });
    });
  }

  private async pump(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    while (this.waiting.length > 0) {
      const taken = this.take();
      if (taken.length < GROUP_MIN || !(await this.together(taken))) await this.oneByOne(taken);
    }
    this.busy = false;
  }

  private take(): Pending[] {
    let bytes = 0;
    const end = this.waiting.findIndex(({ message }) => {
      bytes += message.bytes.length;
      return bytes > GROUP_MAX_BYTES;
    });
    return this.waiting.splice(0, Math.min(GROUP_MAX, end < 0 ? GROUP_MAX : Math.max(1, end)));
  }

  /** False when nothing was stored and each has to be asked for by itself. */
  private async together(taken: readonly Pending[]): Promise<boolean> {
    try {
      const timeoutMs = left(Math.max(...taken.map((p) => p.deadline)));
      const last = await this.publisher.all(
        taken.map((p) => p.message),
        timeoutMs,
      );
      const first = last.sequence - taken.length + 1;
      for (const [i, { resolve }] of taken.entries()) resolve({ ...last, sequence: first + i });
      return true;
    } catch (error) {
      // No answer: it may have happened. Anything else is a refusal.
      if (!(error instanceof TimedOut) && !(error instanceof Unavailable)) return false;
      for (const { reject } of taken) reject(error);
      return true;
    }
  }

  private async oneByOne(taken: readonly Pending[]): Promise<void> {
    await Promise.all(
      taken.map(({ message, deadline, resolve, reject }) =>
        this.publisher.single(message, left(deadline)).then(resolve, reject),
      ),
    );
  }
}

function left(deadline: number): number {
  return Math.max(1, deadline - performance.now());
}
