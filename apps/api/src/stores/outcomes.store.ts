import { Inject, Injectable } from '@nestjs/common';
import type { Bucket, Bus, StoredMessage } from '@skerry/bus';
import { BUCKETS, type CommandOutcome, outcomeSchema } from '@skerry/contracts';
import { BUS } from '@skerry/service';

/** Requests that may wait for their outcome at once in this instance. */
const MAX_WAITING = 20_000;
const LOOK_EVERY_MS = 1_000;

/** Outcomes by request id: those to come are heard from the bucket's stream, older ones are read by key. */
@Injectable()
export class OutcomesStore {
  private readonly bucket: Bucket<CommandOutcome>;
  private readonly waiting = new Map<string, Set<(outcome: CommandOutcome) => void>>();

  constructor(@Inject(BUS) bus: Bus) {
    this.bucket = bus.bucket(BUCKETS.outcomes, (value) => outcomeSchema.parse(value));
  }

  /** Wakes who waits for this outcome. */
  take(message: StoredMessage): void {
    // The key ends the subject: what nobody here waits for is not even read.
    const waiters = this.waiting.get(message.subject.slice(message.subject.lastIndexOf('.') + 1));
    if (!waiters) return;
    const parsed = outcomeSchema.safeParse(message.json());
    if (parsed.success) for (const resolve of waiters) resolve(parsed.data);
  }

  async get(requestId: string): Promise<CommandOutcome | undefined> {
    return (await this.bucket.get(requestId))?.value;
  }

  /** True when no more requests should be accepted. */
  get full(): boolean {
    return this.waiting.size >= MAX_WAITING;
  }

  /** Begins to listen for an outcome: call it before the command is sent. `within` then waits; `end` must be called. */
  expect(requestId: string): {
    within: (ms: number) => Promise<CommandOutcome | undefined>;
    end: () => void;
  } {
    let found: (outcome: CommandOutcome) => void = () => undefined;
    const outcome = new Promise<CommandOutcome>((resolve) => (found = resolve));
    const waiters = this.waiting.get(requestId) ?? new Set();
    waiters.add(found);
    this.waiting.set(requestId, waiters);
    return {
      within: (ms) => this.poll(requestId, outcome, performance.now() + ms),
      end: () => {
        waiters.delete(found);
        if (waiters.size === 0) this.waiting.delete(requestId);
      },
    };
  }

  /** The stream tells at once. Looking now and then covers a follow that is reconnecting, or was ended by a drain. */
  private async poll(
    requestId: string,
    heard: Promise<CommandOutcome>,
    untilMs: number,
  ): Promise<CommandOutcome | undefined> {
    for (;;) {
      const waitMs = Math.min(LOOK_EVERY_MS, untilMs - performance.now());
      const outcome = (await first(heard, waitMs)) ?? (await this.get(requestId));
      if (outcome || waitMs < LOOK_EVERY_MS) return outcome;
    }
  }
}

async function first<T>(awaited: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), Math.max(ms, 0));
  });
  try {
    return await Promise.race([awaited, late]);
  } finally {
    clearTimeout(timer);
  }
}
