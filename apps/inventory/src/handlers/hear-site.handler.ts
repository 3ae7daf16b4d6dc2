import { setTimeout } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { TimedOut, Unavailable, type Body, type Bus, type Message } from '@skerry/bus';
import {
  heartbeatSchema,
  heldDatasetProposalSchema,
  heldProposalSchema,
  isHeldDatasetProposal,
  isHeldProposal,
  liveHeartbeatSubject,
  parseAcross,
  proposalRequestSchema,
  Refusal,
  RPC,
  type Parsed,
  type ProposalAnswer,
  type PingAnswer,
  type RetiredRequest,
  type Site,
} from '@skerry/contracts';
import { factsOf, STANDBY_ANSWERS_AFTER_MS } from '@skerry/domain';
import { BUS } from '@skerry/service';
import { HeartbeatsStore } from '../stores/heartbeats.store.js';
import { SendingStore } from '../stores/sending.store.js';
import { isMember, SitesStore } from '../stores/sites.store.js';
import { CutOff } from './cut-off.handler.js';

/** Heartbeats of a site closer together than this are not even read: one a second is wanted. */
const LEAST_INTERVAL_MS = 200;
/** A decision on a local change; longer than a site waits for it is no use. */
const PROPOSAL_MS = 4_000;
const WAIT: ProposalAnswer = { state: 'waiting', retryAfterMs: 1_000 };

/**
 * Hears what sites say beside their reports, counts it against the same quota, and passes on what other apps need: so
 * no site can flood those. Who it is says the account in the subject, which the server put there.
 */
@Injectable()
export class HearSite {
  constructor(
    private readonly sites: SitesStore,
    private readonly heartbeats: HeartbeatsStore,
    private readonly sending: SendingStore,
    private readonly cutOff: CutOff,
    @Inject(BUS) private readonly bus: Bus,
  ) {}

  /** The hub's term, as it lies beside the placements: a restore raises it. */
  term(term: number): void {
    this.heartbeats.sawTerm(term);
  }

  /** Notes that a site was heard. */
  heartbeat(message: Message): void {
    const site = this.count(message);
    if (site === undefined) return;
    const now = performance.now();
    const before = this.heartbeats.at(site.name);
    if (before !== undefined && now - before < LEAST_INTERVAL_MS) return;
    const parsed = parseAcross(heartbeatSchema, message.json());
    if (!parsed.ok || parsed.value.site !== site.name) return;
    this.heartbeats.note(site.name, now, factsOf(parsed.value));
    this.bus.say(liveHeartbeatSubject(site.account), message.data);
  }

  /**
   * Answers a ping: the hub is there, and from the active instance a lease with it. Every instance hears every ping; one that
   * gives no leases answers later, so that the active one's answer is first when there is one.
   */
  async ping(message: Message): Promise<PingAnswer> {
    const site = this.count(message);
    const { leases } = this.heartbeats;
    if (!leases.gives) await setTimeout(STANDBY_ANSWERS_AFTER_MS);
    const at = new Date().toISOString();
    if (site === undefined) return { at, lease: false };
    const state = this.sites.state(site.name);
    const lost = state === undefined || state.phase === 'lost' || state.phase === 'left';
    const lease = !lost && leases.give(site.name, performance.now());
    return { at, lease, losses: Math.max(this.heartbeats.leastLosses, state?.losses ?? 0) };
  }

  /** Passes on a site's last word, and policy's answer to it. */
  async lastWord(message: Message): Promise<Body> {
    const known = this.sites.ofAccount(message.subject.split('.')[1]);
    // Its answer got lost; policy has heard it.
    if (known?.membership === 'removed') return { ok: true };
    const site = this.count(message);
    if (site === undefined) throw new Refusal('throttled', 'this site sends too much');
    // Only a site that was asked to leave has a last word; policy is not to be bothered with others'.
    if (site.membership !== 'leaving' && site.recalledAt === undefined)
      throw new Refusal('conflict', `${site.name} was not asked to leave`);
    const request: RetiredRequest = { site: site.name, account: site.account };
    return (await this.bus.request(RPC.retired, request)).data;
  }

  /**
   * Passes on a local change of a site, or what it holds and the hub does not know, and what became of it. Only api knows who may
   * have made a change.
   */
  async proposal(message: Message): Promise<Body> {
    const site = this.count(message);
    if (site === undefined) return WAIT;
    const value = proposalOf(message);
    if (value.site !== site.name || value.from !== site.name) {
      throw new Refusal('forbidden', `a change of ${value.from}, sent by ${site.name}`);
    }
    try {
      return (await this.bus.request(RPC.proposal, value.body, { timeoutMs: PROPOSAL_MS })).data;
    } catch (error) {
      // Whether it was decided is known when it is asked for again.
      if (error instanceof TimedOut || error instanceof Unavailable) return WAIT;
      throw error;
    }
  }

  /** Counts a message of a site; the site, unless its quota is used up or it is none. */
  count(message: Message): Site | undefined {
    const site = this.sites.ofAccount(message.subject.split('.')[1]);
    if (site === undefined || !isMember(site)) return undefined;
    const verdict = this.sending.judge(site.name, message.data.length, performance.now());
    if (verdict.kind === 'cut-off') void this.cutOff.handle(site, verdict.reason);
    return verdict.kind === 'take' ? site : undefined;
  }
}

/** The site that sends it, and the one that it is about. */
function proposalOf(message: Message): { body: Body; site: string; from: string } {
  const said = message.json();
  if (isHeldProposal(said)) {
    const { held, site } = known(parseAcross(heldProposalSchema, said));
    return { body: { site, held }, site, from: held.site };
  }
  if (isHeldDatasetProposal(said)) {
    const body = known(parseAcross(heldDatasetProposalSchema, said));
    return { body, site: body.site, from: body.site };
  }
  const body = known(parseAcross(proposalRequestSchema, said));
  return { body, site: body.site, from: body.request.site };
}

function known<T>(parsed: Parsed<T>): T {
  if (parsed.ok) return parsed.value;
  throw new Refusal('malformed', 'not a local change', { issues: parsed.issues });
}
