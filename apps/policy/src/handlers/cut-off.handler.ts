import { Inject, Injectable } from '@nestjs/common';
import type { Message } from '@skerry/bus';
import { cutOffRequestSchema, parse, Refusal, type CutOffAnswer, type Site } from '@skerry/contracts';
import { JsonLog } from '@skerry/service';
import { SiteAccounts } from '../sites/site-accounts.js';
import { SitesStore } from '../stores/sites.store.js';

/** Cuts off a site that floods the intake. It is let in again by itself when its time is over. */
@Injectable()
export class CutOffHandler {
  constructor(
    @Inject(SitesStore) private readonly sites: SitesStore,
    @Inject(SiteAccounts) private readonly accounts: SiteAccounts,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  async handle(message: Message): Promise<CutOffAnswer> {
    const parsed = parse(cutOffRequestSchema, message.json());
    if (!parsed.ok) throw new Refusal('malformed', 'not a request to cut off', { issues: parsed.issues });
    const { site: name, account, forMs, reason } = parsed.value;
    const until = new Date(Date.now() + forMs).toISOString();
    const site = await this.sites.change(name, 'suspended', (now) => suspended(now, account, until));
    if (!site)
      throw new Refusal('not-found', `there is no site ${name} with this account that could be cut off`);
    await this.accounts.suspend(site);
    this.log.warn(`site ${name} is cut off until ${until}`, { reason });
    return { suspendedUntil: until };
  }
}

function suspended(site: Site, account: string, until: string): Site | undefined {
  const connected = site.membership === 'joined' || site.membership === 'leaving';
  return connected && site.account === account ? { ...site, suspendedUntil: until } : undefined;
}
