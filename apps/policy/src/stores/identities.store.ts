import { Inject, Injectable } from '@nestjs/common';
import { Conflict, type Bucket, type Bus } from '@skerry/bus';
import {
  apiTokenSchema,
  BUCKETS,
  joinTicketSchema,
  siteIdentitySchema,
  type ApiToken,
  type JoinTicket,
  type SiteIdentity,
} from '@skerry/contracts';
import { BUS } from '@skerry/service';
import type { Held } from './workloads.store.js';

const tokenKey = (id: string) => `token.${id}`;
const ticketKey = (site: string) => `join.${site}`;
const siteKey = (site: string) => `site.${site}`;

/** The bucket `identities`, one view a kind of record. Only hashes of secrets are in it. */
@Injectable()
export class IdentitiesStore {
  private readonly tokens: Bucket<ApiToken>;
  private readonly tickets: Bucket<JoinTicket>;
  private readonly sites: Bucket<SiteIdentity>;

  constructor(@Inject(BUS) bus: Bus) {
    this.tokens = bus.bucket(BUCKETS.identities, (value) => apiTokenSchema.parse(value));
    this.tickets = bus.bucket(BUCKETS.identities, (value) => joinTicketSchema.parse(value));
    this.sites = bus.bucket(BUCKETS.identities, (value) => siteIdentitySchema.parse(value));
  }

  /** Adds a token's record, unless one of this id is there. */
  async addToken(token: ApiToken): Promise<void> {
    await this.tokens.put(tokenKey(token.id), token, 0).catch(isThere);
  }

  /** The ticket of this id; tickets are kept by site, and there are as many as sites that wait. */
  async ticketById(id: string): Promise<Held<JoinTicket> | undefined> {
    const keys = (await this.tickets.keys()).filter((key) => key.startsWith(ticketKey('')));
    const found = await Promise.all(keys.map((key) => this.tickets.get(key)));
    return found.find((entry) => entry?.value.id === id);
  }

  async ticket(site: string): Promise<Held<JoinTicket> | undefined> {
    return this.tickets.get(ticketKey(site));
  }

  /** Throws `Conflict` unless the ticket is at `revision`. */
  async putTicket(ticket: JoinTicket, revision: number): Promise<void> {
    await this.tickets.put(ticketKey(ticket.site), ticket, revision);
  }

  async site(site: string): Promise<Held<SiteIdentity> | undefined> {
    return this.sites.get(siteKey(site));
  }

  /** Throws `Conflict` unless the identity is at `revision`. */
  async putSite(identity: SiteIdentity, revision: number): Promise<void> {
    await this.sites.put(siteKey(identity.site), identity, revision);
  }
}

function isThere(error: unknown): void {
  if (!(error instanceof Conflict)) throw error;
}
