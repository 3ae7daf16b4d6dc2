import { Inject, Injectable } from '@nestjs/common';
import type { Message } from '@skerry/bus';
import { parse, Refusal, retiredRequestSchema, type RetiredAnswer } from '@skerry/contracts';
import { JsonLog } from '@skerry/service';
import { IdentitiesStore } from '../stores/identities.store.js';
import { SitesStore } from '../stores/sites.store.js';

/** Hears a site's last word, passed on by inventory: it has stopped everything and removed what was left. From now on it is removed. */
@Injectable()
export class RetiredHandler {
  constructor(
    @Inject(SitesStore) private readonly sites: SitesStore,
    @Inject(IdentitiesStore) private readonly identities: IdentitiesStore,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  async handle(message: Message): Promise<RetiredAnswer> {
    const parsed = parse(retiredRequestSchema, message.json());
    if (!parsed.ok) throw new Refusal('malformed', 'not a last word of a site', { issues: parsed.issues });
    const site = this.sites.byAccount(parsed.value.account);
    if (!site) throw new Refusal('not-found', 'no site has this account');
    if (site.membership !== 'removed') await this.retire(site.name);
    return { ok: true };
  }

  private async retire(name: string): Promise<void> {
    const removed = await this.sites.change(name, 'removed', (now) =>
      // One that was called back too late had ended already: what it says is so.
      now.membership === 'leaving' || now.recalledAt !== undefined
        ? { ...now, membership: 'removed' }
        : undefined,
    );
    if (!removed) throw new Refusal('conflict', `the site ${name} was not asked to leave`);
    const identity = await this.identities.site(name);
    if (identity)
      await this.identities.putSite(
        { ...identity.value, revokedAt: new Date().toISOString() },
        identity.revision,
      );
    this.log.log(`site ${name} is removed`, { site: name });
  }
}
