import { Inject, Injectable } from '@nestjs/common';
import { Conflict, type BucketChange } from '@skerry/bus';
import type { ApiToken, Quota, Site } from '@skerry/contracts';
import { accessFor, type Delivered } from '@skerry/domain';
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
/** After what was not delivered it is tried again so soon, each time later. */
const RETRY_MS = 1_000;
const RETRY_MAX_MS = 60_000;

/** Tells every site who may act there without the hub: when that changes, and anew before it would end. */
@Injectable()
export class DeliverAccess {
  private timer: NodeJS.Timeout | undefined;
  private soonTimer: NodeJS.Timeout | undefined;
  private retryTimer: NodeJS.Timeout | undefined;
  private retryMs = RETRY_MS;
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
    clearInterval(this.timer);
    this.timer = setInterval(() => this.look(), LOOK_EVERY_MS);
    this.soon();
  }

  async stop(): Promise<void> {
    this.active = false;
    clearInterval(this.timer);
    clearTimeout(this.soonTimer);
    this.soonTimer = undefined;
    clearTimeout(this.retryTimer);
    this.retryTimer = undefined;
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
    const failed: { site: string; error: unknown }[] = [];
    while (sites.length > 0 && this.active) {
      const these = sites.splice(0, AT_ONCE);
      const errors = await Promise.all(these.map((site) => this.deliver(site)));
      for (const [i, { name }] of these.entries())
        if (errors[i] !== undefined) failed.push({ site: name, error: errors[i] });
    }
    this.again(failed);
  }

  /** One line for all of them: a full stream fails for every site at once. */
  private again(failed: readonly { site: string; error: unknown }[]): void {
    const [first] = failed;
    if (first === undefined) {
      this.retryMs = RETRY_MS;
      return;
    }
    if (!this.active || this.retryTimer !== undefined) return;
    this.log.warn(
      `access of ${failed.length} sites (${first.site} is one) not delivered, trying again in ${this.retryMs / 1_000} s`,
      first.error,
    );
    this.retryTimer = setTimeout(() => {
      this.retryTimer = undefined;
      this.look();
    }, this.retryMs);
    this.retryMs = Math.min(this.retryMs * 2, RETRY_MAX_MS);
  }

  /** Undefined, or why it was not delivered. */
  private async deliver(site: Site): Promise<unknown> {
    const { delivered, downlink } = this.stores;
    const there = delivered.access(site.name);
    const [tokens, quotas] = [this.rules.tokens(), this.rules.quotas()];
    const projects = projectsOf(delivered.ofSite(site.name));
    const next = accessFor({ site, tokens, quotas, projects, there: there?.access, nowMs: Date.now() });
    if (next === undefined) return undefined;
    try {
      await downlink.put(next, there?.sequence ?? 0);
      return undefined;
    } catch (error) {
      if (!(error instanceof Conflict)) return error;
      // The follow of DL is about to bring what another instance wrote.
      this.soon();
      return undefined;
    }
  }
}

function projectsOf(delivered: ReadonlyMap<string, Delivered>): Set<string> {
  const projects = new Set<string>();
  for (const [key, { kind }] of delivered) if (kind === 'Assignment') projects.add(key.split('.')[0] ?? '');
  return projects;
}
