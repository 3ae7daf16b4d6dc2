import { Inject, Injectable } from '@nestjs/common';
import type { Bucket, BucketChange, Bus, Headers } from '@skerry/bus';
import { BUCKETS, quotaSchema, type Quota, type Workload } from '@skerry/contracts';
import { claimOf, limitsOf, type Claim } from '@skerry/domain';
import { BUS } from '@skerry/service';
import type { Held } from './workloads.store.js';

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

  /** Every project that has a quota or workloads, by name. */
  projects(): string[] {
    const limited = [...this.quotas.values()].filter((quota) => Object.keys(limitsOf(quota)).length > 0);
    const claiming = [...this.claims].flatMap(([project, claims]) => (claims.size > 0 ? [project] : []));
    return [...new Set([...limited.map((quota) => quota.project), ...claiming])].toSorted();
  }

  /** The quota as it is in the bucket now. */
  async read(project: string): Promise<Held<Quota> | undefined> {
    return this.bucket.get(quotaKey(project));
  }

  /** Throws `Conflict` unless the quota is at `revision` (0: there is none). */
  async commit(quota: Quota, revision: number, headers: Headers = {}): Promise<void> {
    await this.bucket.put(quotaKey(quota.project), quota, revision, { headers });
  }
}
