import { Inject, Injectable } from '@nestjs/common';
import type { Bucket, Bus, StoredMessage } from '@skerry/bus';
import { BUCKETS, type CommandOutcome, outcomeSchema } from '@skerry/contracts';
import { BUS } from '@skerry/service';

/** Requests that may wait for their outcome at once in this instance. */
const MAX_WAITING = 20_000;

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
    if (this.waiting.size === 0) return;
    const parsed = outcomeSchema.safeParse(message.json());
    if (!parsed.success) return;
    for (const resolve of this.waiting.get(parsed.data.requestId) ?? []) resolve(parsed.data);
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
    let timer: NodeJS.Timeout | undefined;
    return {
      within: async (ms) => {
        const late = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), ms)));
        // The last look covers an outcome that was written while the follow was reconnecting.
        return (await Promise.race([outcome, late])) ?? (await this.get(requestId));
      },
      end: () => {
        clearTimeout(timer);
        waiters.delete(found);
        if (waiters.size === 0) this.waiting.delete(requestId);
      },
    };
  }
}
