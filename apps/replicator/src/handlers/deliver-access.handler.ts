import { Inject, Injectable } from '@nestjs/common';
import { Conflict, type BucketChange } from '@skerry/bus';
import type { ApiToken, Quota, Site } from '@skerry/contracts';
import { accessFor } from '@skerry/domain';
import { JsonLog } from '@skerry/service';
import { AccessRulesStore } from '../stores/access-rules.store.js';
import { SiteStores } from '../stores/site-stores.js';
import { WantedStore } from '../stores/wanted.store.js';

/** Between two looks at what is due again. */
const LOOK_EVERY_MS = 60_000;
/** A change is waited with for this long: others come with it, as at a start. */
const LINGER_MS = 200;
/** Sites written to at once. */
const AT_ONCE = 32;

/** Tells every site who may act there without the hub: when that changes, and anew before it would end. */
@Injectable()
export class DeliverAccess {
  private timer: NodeJS.Timeout | undefined;
  private soonTimer: NodeJS.Timeout | undefined;
  private work: Promise<void> = Promise.resolve();
  private active = false;

  constructor(
    private readonly wanted: WantedStore,
    private readonly stores: SiteStores,
    private readonly rules: AccessRulesStore,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  start(): void {
    this.active = true;
    this.timer = setInterval(() => this.look(), LOOK_EVERY_MS);
    this.soon();
  }

  async stop(): Promise<void> {
    this.active = false;
    clearInterval(this.timer);
    clearTimeout(this.soonTimer);
    this.soonTimer = undefined;
    await this.work;
  }

  token(change: BucketChange<ApiToken>): void {
    this.rules.applyToken(change);
    this.soon();
  }

  quota(change: BucketChange<Quota>): void {
    this.rules.applyQuota(change);
    this.soon();
  }

  /** Tokens, quotas or sites have changed. */
  soon(): void {
    if (!this.active) return;
    this.soonTimer ??= setTimeout(() => {
      this.soonTimer = undefined;
      this.look();
    }, LINGER_MS);
  }

  private look(): void {
    this.work = this.work.then(() => this.deliverAll());
  }

  private async deliverAll(): Promise<void> {
    const sites = this.wanted.allSites().filter(({ name }) => this.wanted.mayReceive(name));
    while (sites.length > 0 && this.active) {
      await Promise.all(sites.splice(0, AT_ONCE).map((site) => this.deliver(site)));
    }
  }

  private async deliver(site: Site): Promise<void> {
    const { delivered, downlink } = this.stores;
    const there = delivered.access(site.name);
    const [tokens, quotas] = [this.rules.tokens(), this.rules.quotas()];
    const next = accessFor({ site, tokens, quotas, there: there?.access, nowMs: Date.now() });
    if (next === undefined) return;
    try {
      await downlink.put(next, there?.sequence ?? 0);
    } catch (error) {
      // After a conflict the follow of DL is about to bring what another instance wrote.
      if (!(error instanceof Conflict))
        this.log.warn(`access of site ${site.name} not delivered, trying again`, error);
      this.soon();
    }
  }
}
