import { Inject, Injectable } from '@nestjs/common';
import { Conflict, type Message } from '@skerry/bus';
import {
  joinRequestSchema,
  parse,
  Refusal,
  type JoinAnswer,
  type JoinRequest,
  type JoinTicket,
  type Site,
} from '@skerry/contracts';
import { checkJoinToken, joinTokenId } from '@skerry/identity';
import { JsonLog } from '@skerry/service';
import { Credentials } from '../sites/credentials.js';
import { SiteAccounts } from '../sites/site-accounts.js';
import { IdentitiesStore } from '../stores/identities.store.js';
import { SitesStore } from '../stores/sites.store.js';
import type { Held } from '../stores/workloads.store.js';

/**
 * Lets a machine join with a single-use token. The token is spent by compare-and-set before anything is issued; the same
 * machine (the same key) may ask again with it while it lives, since the answer may have been lost.
 */
@Injectable()
export class JoinHandler {
  constructor(
    @Inject(SitesStore) private readonly sites: SitesStore,
    @Inject(IdentitiesStore) private readonly identities: IdentitiesStore,
    @Inject(SiteAccounts) private readonly accounts: SiteAccounts,
    @Inject(Credentials) private readonly credentials: Credentials,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  async handle(message: Message): Promise<JoinAnswer> {
    const parsed = parse(joinRequestSchema, message.json());
    if (!parsed.ok) throw new Refusal('malformed', 'not a request to join', { issues: parsed.issues });
    const request = parsed.value;
    const ticket = await this.ticketOf(request);
    const site = await this.siteOf(ticket.value.site);
    // Made first: a request that is refused for its certificate shall not spend the token.
    const answer = await this.credentials.issue(site, request.userKey, request.csr);
    await this.spend(ticket, request, site);
    await this.accounts.open(site);
    await this.sites.change(site.name, 'joined', (now) =>
      now.membership === 'pending' ? { ...now, membership: 'joined' } : undefined,
    );
    this.log.log(`site ${site.name} joined`, { site: site.name });
    return answer;
  }

  private async ticketOf(request: JoinRequest): Promise<Held<JoinTicket>> {
    const id = joinTokenId(request.token);
    const ticket = id === undefined ? undefined : await this.identities.ticketById(id);
    const check = checkJoinToken(request.token, ticket?.value, Date.now());
    if (ticket && check.ok) return ticket;
    if (ticket && !check.ok && check.reason === 'used' && (await this.isSameMachine(ticket.value, request)))
      return ticket;
    throw refusalOf(check.ok ? 'unknown' : check.reason);
  }

  private async isSameMachine(ticket: JoinTicket, { userKey }: JoinRequest): Promise<boolean> {
    const known = await this.identities.site(ticket.site);
    return known?.value.userKey === userKey && Date.now() < Date.parse(ticket.expiresAt);
  }

  private async siteOf(name: string): Promise<Site> {
    const held = await this.sites.read(name);
    if (held && (held.value.membership === 'pending' || held.value.membership === 'joined'))
      return held.value;
    throw new Refusal('conflict', `the site ${name} can no longer join`, {
      hint: 'add a site with a new name',
    });
  }

  private async spend(ticket: Held<JoinTicket>, { userKey }: JoinRequest, site: Site): Promise<void> {
    if (ticket.value.usedAt !== undefined) return;
    const now = new Date().toISOString();
    try {
      await this.identities.putTicket({ ...ticket.value, usedAt: now }, ticket.revision);
    } catch (error) {
      throw error instanceof Conflict ? refusalOf('used') : error;
    }
    const known = await this.identities.site(site.name);
    await this.identities.putSite(
      { kind: 'SiteIdentity', site: site.name, account: site.account, userKey, joinedAt: now },
      known?.revision ?? 0,
    );
  }
}

const HINT = 'make a new one with "skerry site add" or "skerry site token" and use it within 15 minutes';

function refusalOf(reason: 'malformed' | 'unknown' | 'expired' | 'used'): Refusal {
  switch (reason) {
    case 'malformed':
    case 'unknown':
      return new Refusal('unauthorized', 'this join token is not known here', { hint: HINT });
    case 'expired':
      return new Refusal('unauthorized', 'this join token has expired', { hint: HINT });
    case 'used':
      return new Refusal('unauthorized', 'this join token was used before', { hint: HINT });
    default:
      return reason satisfies never;
  }
}
