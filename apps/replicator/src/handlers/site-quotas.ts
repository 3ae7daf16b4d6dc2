import { fullBucket, take, type Bucketful, type Quota } from '@skerry/domain';

/** How much of something each site may ask for: a burst at once, then so many a second. What of it is left, by site. */
export class SiteQuotas {
  private readonly left = new Map<string, Bucketful>();

  constructor(private readonly quota: Quota) {}

  /** Whether a site may have so much now; then it has it. */
  take(site: string, amount = 1): boolean {
    const now = performance.now();
    const before = this.left.get(site) ?? fullBucket(this.quota, now);
    const { ok, bucket } = take(before, this.quota, amount, now);
    this.left.set(site, bucket);
    return ok;
  }
}
