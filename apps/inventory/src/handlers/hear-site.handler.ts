import { Injectable } from '@nestjs/common';
import { heartbeatSchema } from '@skerry/contracts';
import { factsOf } from '@skerry/domain';
import type { PlainMessage } from '@skerry/service';
import { HeartbeatsStore } from '../stores/heartbeats.store.js';
import { isMember, SitesStore } from '../stores/sites.store.js';

/** Heartbeats of a site closer together than this are not even read: one a second is wanted. */
const LEAST_INTERVAL_MS = 200;

/** Notes that a site was heard. Who it is says the account in the subject, which the server put there. */
@Injectable()
export class HearHeartbeat {
  constructor(
    private readonly sites: SitesStore,
    private readonly heartbeats: HeartbeatsStore,
  ) {}

  handle(message: PlainMessage): void {
    const site = this.sites.ofAccount(message.subject.split('.')[1]);
    if (site === undefined || !isMember(site)) return;
    const now = performance.now();
    const before = this.heartbeats.at(site.name);
    if (before !== undefined && now - before < LEAST_INTERVAL_MS) return;
    const parsed = heartbeatSchema.safeParse(message.json());
    if (!parsed.success || parsed.data.site !== site.name) return;
    this.heartbeats.note(site.name, now, factsOf(parsed.data));
  }
}
