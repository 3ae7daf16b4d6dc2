import { Inject, Injectable } from '@nestjs/common';
import type { Bucket, BucketChange, Bus } from '@skerry/bus';
import { BUCKETS, quotaSchema, type Quota, type Workload } from '@skerry/contracts';
import { claimOf, type Claim } from '@skerry/domain';
import { BUS } from '@skerry/service';

const quotaKey = (project: string) => `quota.${project}`;

/** Quotas by project, and what each project's workloads take of them, as last heard. */
@Injectable()
export class QuotasStore {
  private readonly bucket: Bucket<Quota>;
  private readonly quotas = new Map<string, Quota>();
  private readonly claims = new Map<string, Map<string, Claim>>();

  constructor(@Inject(BUS) bus: Bus) {
    this.bucket = bus.bucket(BUCKETS.policies, (value) => quotaSchema.parse(value));
  }

  hearQuota(change: BucketChange<Quota>): void {
    if (change.kind === 'put') this.quotas.set(change.key, change.value);
    else if (change.kind === 'gone') this.quotas.delete(change.key);
  }

  hearWorkload(change: BucketChange<Workload>): void {
    if (change.kind !== 'put') return;
    const { project, name } = change.value;
    const claim = claimOf(change.value);
    const claims = this.claims.get(project) ?? new Map<string, Claim>();
    this.claims.set(project, claims);
    if (claim) claims.set(name, claim);
    else claims.delete(name);
  }

  of(project: string): Quota | undefined {
    return this.quotas.get(quotaKey(project));
  }

  claimsOf(project: string): Iterable<Claim> {
    return this.claims.get(project)?.values() ?? [];
  }

  async write(quota: Quota): Promise<void> {
    await this.bucket.set(quotaKey(quota.project), quota);
  }
}
