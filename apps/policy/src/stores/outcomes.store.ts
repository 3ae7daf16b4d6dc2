import { Inject, Injectable } from '@nestjs/common';
import type { Bucket, Bus, Headers } from '@skerry/bus';
import { BUCKETS, outcomeSchema, type CommandOutcome } from '@skerry/contracts';
import { BUS } from '@skerry/service';

/** The answers to commands by request id, kept 24 hours. */
@Injectable()
export class OutcomesStore {
  private readonly bucket: Bucket<CommandOutcome>;

  constructor(@Inject(BUS) bus: Bus) {
    this.bucket = bus.bucket(BUCKETS.outcomes, (value) => outcomeSchema.parse(value));
  }

  async has(requestId: string): Promise<boolean> {
    return (await this.bucket.get(requestId)) !== undefined;
  }

  async write(outcome: CommandOutcome, headers: Headers): Promise<void> {
    await this.bucket.set(outcome.requestId, outcome, { headers });
  }
}
