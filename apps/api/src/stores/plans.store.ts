import { Inject, Injectable } from '@nestjs/common';
import type { Bucket, Bus } from '@skerry/bus';
import { BUCKETS, keptPlanSchema, type KeptPlan, type Plan } from '@skerry/contracts';
import { BUS } from '@skerry/service';
import { bodyOf, type Documents } from '../documents/read-documents.js';

/** Plans for 24 h: the plan and what was asked apart, since either may fill a message. */
@Injectable()
export class PlansStore {
  private readonly bucket: Bucket<KeptPlan>;

  constructor(@Inject(BUS) bus: Bus) {
    this.bucket = bus.bucket(BUCKETS.plans, (value) => keptPlanSchema.parse(value));
  }

  /** Throws `TooLarge` when it exceeds a message. */
  async keep(plan: Plan, asked?: Documents): Promise<void> {
    // Unconditional: what is kept under an id is determined by it, so two instances write the same.
    if (asked) await this.bucket.set(`${plan.id}.documents`, { kind: 'PlannedDocuments', ...bodyOf(asked) });
    await this.bucket.set(`${plan.id}.plan`, { kind: 'KeptPlan', plan });
  }

  async plan(id: string): Promise<Plan | undefined> {
    const kept = (await this.bucket.get(`${id}.plan`))?.value;
    return kept?.kind === 'KeptPlan' ? kept.plan : undefined;
  }

  async documents(id: string): Promise<Documents | undefined> {
    const kept = (await this.bucket.get(`${id}.documents`))?.value;
    if (kept?.kind !== 'PlannedDocuments') return undefined;
    return { workloads: kept.documents, datasets: kept.datasets ?? [] };
  }
}
