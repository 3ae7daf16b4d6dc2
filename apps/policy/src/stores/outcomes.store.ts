import { Inject, Injectable } from '@nestjs/common';
import { Conflict, type Bucket, type Bus, type Headers } from '@skerry/bus';
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

  /** The first answer to a request stays: a later one, of an instance that was held up or of the same request asked twice, is passed over. */
  async write(outcome: CommandOutcome, headers: Headers): Promise<void> {
    await this.bucket.put(outcome.requestId, outcome, 0, { headers }).catch(isThere);
  }
}

function isThere(error: unknown): void {
  if (!(error instanceof Conflict)) throw error;
}
