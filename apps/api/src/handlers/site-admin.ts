import { isDeepStrictEqual } from 'node:util';
import { Inject, Injectable } from '@nestjs/common';
import type { Bus } from '@skerry/bus';
import {
  type AddSite,
  type AddSiteAnswer,
  type JoinTicketAnswer,
  joinTicketAnswerSchema,
  type JoinTicketRequest,
  Refusal,
  RPC,
  type Site,
  type SiteDescription,
  type SiteView,
} from '@skerry/contracts';
import { BUS } from '@skerry/service';
import type { Caller } from '../http/caller.js';
import { JoinEndpoint } from '../join/join-endpoint.js';
import { joinCommand } from '../join/join-command.js';
import { FleetStore } from '../stores/fleet.store.js';
import { knownNode, removableNode, type NamedNode } from './find-node.js';
import { SendCommand } from './send-command.js';

/** After a command's outcome the site's record reaches this instance within this time. */
const SEEN_MS = 5_000;

/** Adds sites and opens the way in for them. */
@Injectable()
export class SiteAdmin {
  constructor(
    @Inject(BUS) private readonly bus: Bus,
    @Inject(SendCommand) private readonly commands: SendCommand,
    @Inject(FleetStore) private readonly fleet: FleetStore,
    @Inject(JoinEndpoint) private readonly endpoint: JoinEndpoint,
  ) {}

  /**
   * Adds a site and answers the line for its machine. One that waits to join and is described the same just gets a new
   * token, and the old one ends. The endpoint is opened first: with no way in nothing is added.
   */
  async add(request: AddSite, caller: Caller): Promise<AddSiteAnswer> {
    if (caller.actor.role !== 'admin') {
      throw new Refusal('forbidden', `${caller.actor.subject} may not add sites`, {
        hint: `it takes the role admin; yours is ${caller.actor.role}`,
      });
    }
    const { url, pin } = await this.endpoint.open(request.address);
    const { name } = request.site;
    if (!waitsToJoin(this.fleet.site(name), request.site)) {
      await this.commands.send({ verb: 'site.add', site: request.site }, caller);
    }
    const site = await this.seen(name);
    const ticket = await this.ticket({ actor: caller.actor, site: name });
    const { token, expiresAt } = ticket;
    return { site, token, expiresAt, endpoint: url, pin, command: joinCommand({ url, pin, token }) };
  }

  view(name: string): SiteView {
    const view = this.fleet.view(name);
    if (view) return view;
    throw new Refusal('not-found', `no site ${name}`, { hint: 'see `skerry site ls`' });
  }

  /** A node that the cloud knows. */
  node(named: NamedNode): NamedNode {
    return knownNode(this.fleet, named);
  }

  /** A node that the cloud knows and that may be removed. */
  removable(named: NamedNode): NamedNode {
    return removableNode(this.fleet, named);
  }

  private async ticket(request: JoinTicketRequest): Promise<JoinTicketAnswer> {
    return joinTicketAnswerSchema.parse((await this.bus.request(RPC.joinTicket, request)).json());
  }

  private async seen(name: string): Promise<Site> {
    const endMs = performance.now() + SEEN_MS;
    for (;;) {
      const site = this.fleet.site(name);
      if (site) return site;
      if (performance.now() > endMs)
        throw new Refusal('timeout', `site ${name} was added but is not seen yet`, {
          hint: 'try again for its token',
        });
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function waitsToJoin(site: Site | undefined, wanted: SiteDescription): boolean {
  if (site?.membership !== 'pending') return false;
  const known = Object.fromEntries(Object.entries(site).filter(([key]) => key in wanted));
  return isDeepStrictEqual(known, wanted);
}
