import { Inject, Injectable } from '@nestjs/common';
import type { Message } from '@skerry/bus';
import { joinTicketRequestSchema, parse, Refusal, type JoinTicketAnswer } from '@skerry/contracts';
import { makeJoinToken } from '@skerry/identity';
import { IdentitiesStore } from '../stores/identities.store.js';
import { SitesStore } from '../stores/sites.store.js';

/** Makes a token with which one machine may join as a site that is waiting for it; an earlier one that was not used is void. */
@Injectable()
export class TicketHandler {
  constructor(
    @Inject(SitesStore) private readonly sites: SitesStore,
    @Inject(IdentitiesStore) private readonly identities: IdentitiesStore,
  ) {}

  async handle(message: Message): Promise<JoinTicketAnswer> {
    const parsed = parse(joinTicketRequestSchema, message.json());
    if (!parsed.ok) throw new Refusal('malformed', 'not a request for a ticket', { issues: parsed.issues });
    const { actor, site } = parsed.value;
    if (actor.role !== 'admin') throw new Refusal('forbidden', 'only an admin may let a site join');
    const held = await this.sites.read(site);
    if (held?.value.membership !== 'pending') throw notWaiting(site, held?.value.membership);
    const { token, ticket } = makeJoinToken(site, Date.now());
    const old = await this.identities.ticket(site);
    await this.identities.putTicket(ticket, old?.revision ?? 0);
    return { token, expiresAt: ticket.expiresAt };
  }
}

function notWaiting(site: string, membership: string | undefined): Refusal {
  if (membership === undefined) return new Refusal('not-found', `there is no site ${site}`);
  return new Refusal('conflict', `the site ${site} is ${membership}: it does not wait to join`, {
    hint: 'add a site with a new name for another machine',
  });
}
