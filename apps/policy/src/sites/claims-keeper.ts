import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import type { Site } from '@skerry/contracts';
import { JsonLog, Roles, type ActiveRole } from '@skerry/service';
import { SitesStore } from '../stores/sites.store.js';
import { SiteAccounts } from './site-accounts.js';

/** What the hub shall do with a site's account. */
type Standing = 'unknown' | 'open' | 'suspended' | 'removed';

const TICK_MS = 500;
/** A site that has said its last word gets the answer before it is cut off. */
const LAST_WORD_MS = 2_000;

/**
 * Keeps the hub's claims as the sites' records say, whatever crashed in between: one instance, by lease, compares each site's
 * standing with what it pushed last, and lets suspended sites in again when their time is over.
 */
@Injectable()
export class ClaimsKeeper implements OnApplicationBootstrap {
  private readonly pushed = new Map<string, Standing>();
  private role: ActiveRole | undefined;
  private timer: NodeJS.Timeout | undefined;
  private busy = false;

  constructor(
    @Inject(SitesStore) private readonly sites: SitesStore,
    @Inject(SiteAccounts) private readonly accounts: SiteAccounts,
    @Inject(Roles) private readonly roles: Roles,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  onApplicationBootstrap(): void {
    this.role = this.roles.hold('policy', { start: () => this.start(), stop: () => this.stop() });
  }

  private start(): void {
    this.pushed.clear();
    this.timer = setInterval(() => void this.tick(), TICK_MS);
    void this.tick();
  }

  private stop(): void {
    clearInterval(this.timer);
  }

  private async tick(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    try {
      for (const site of this.sites.all()) {
        if (this.role?.epoch === undefined) return;
        await this.keep(site);
      }
    } catch (error) {
      // Tried again with the next tick.
      this.log.warn('claims of a site could not be pushed', error);
    } finally {
      this.busy = false;
    }
  }

  private async keep(site: Site): Promise<void> {
    const now = Date.now();
    if (suspensionOver(site, now)) {
      await this.sites.change(site.name, 'changed', withoutSuspension);
      return;
    }
    const standing = standingOf(site, now);
    if (standing === 'unknown' || this.pushed.get(site.name) === standing) return;
    await this.push(site, standing);
    this.pushed.set(site.name, standing);
    this.log.log(`site ${site.name}: account ${standing}`);
  }

  private async push(site: Site, standing: Exclude<Standing, 'unknown'>): Promise<void> {
    switch (standing) {
      case 'open':
        return this.accounts.open(site);
      case 'suspended':
        return this.accounts.suspend(site);
      case 'removed':
        return this.accounts.remove(site);
      default:
        return standing satisfies never;
    }
  }
}

function standingOf(site: Site, now: number): Standing {
  switch (site.membership) {
    case 'pending':
      return 'unknown';
    case 'joined':
    case 'leaving':
      return site.suspendedUntil === undefined ? 'open' : 'suspended';
    case 'removed':
      return now - Date.parse(site.updatedAt) < LAST_WORD_MS ? 'unknown' : 'removed';
    default:
      return site.membership satisfies never;
  }
}

function suspensionOver({ membership, suspendedUntil }: Site, now: number): boolean {
  return membership !== 'removed' && suspendedUntil !== undefined && Date.parse(suspendedUntil) <= now;
}

function withoutSuspension({ suspendedUntil, ...site }: Site): Site | undefined {
  return suspendedUntil === undefined ? undefined : site;
}
