import { Injectable } from '@nestjs/common';
import type { BucketChange } from '@skerry/bus';
import type { ApiToken, Quota } from '@skerry/contracts';

/** Who may ask for what, as policy keeps it: tokens (hashes and public keys alone) and quotas, followed by every instance. */
@Injectable()
export class AccessRulesStore {
  private readonly byToken = new Map<string, ApiToken>();
  private readonly byProject = new Map<string, Quota>();

  applyToken(change: BucketChange<ApiToken>): void {
    if (change.kind === 'put') this.byToken.set(change.key, change.value);
    else this.byToken.delete(change.key);
  }

  applyQuota(change: BucketChange<Quota>): void {
    if (change.kind === 'put') this.byProject.set(change.key, change.value);
    else this.byProject.delete(change.key);
  }

  tokens(): Iterable<ApiToken> {
    return this.byToken.values();
  }

  quotas(): Iterable<Quota> {
    return this.byProject.values();
  }
}
