import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Message } from '@skerry/bus';
import {
  isHeldDatasetProposal,
  isHeldProposal,
  LIMITS,
  operationSchema,
  parse,
  proposalRequestSchema,
  Refusal,
  type ApiToken,
  type CommandBody,
  type CommandOutcome,
  type Decided,
  type Operation,
  type ProposalAnswer,
  type ProposalRequest,
} from '@skerry/contracts';
import { refuseOperation, siteCommandId } from '@skerry/domain';
import { isSignedBy } from '@skerry/identity';
import type { Caller } from '../http/caller.js';
import { requestTrace } from '../http/request-trace.js';
import { FleetStore } from '../stores/fleet.store.js';
import { TokensStore } from '../stores/tokens.store.js';
import { HeldProposals, PASSING, refusedOutcome } from './held-proposals.js';
import { SendCommand } from './send-command.js';

const DAY_MS = 24 * 60 * 60_000;
const SUBJECT_CHARS = 128;
const RETRY_MS = 500;

/**
 * Makes commands of what people changed at a site that was cut off. Who that was is proven by their signature, not by what
 * the site says: a site can pass on what was asked of it, and ask for nothing itself. The command's id is made of the site and
 * the request's id, so that it is made once, and a site can name no change but its own as one that went before.
 *
 * A stop or start of a workload that runs at other sites too is no command: whoever stops the till of one shop does not mean
 * those of all. It stays that site's own.
 */
@Injectable()
export class SiteProposals {
  private readonly held: HeldProposals;

  constructor(
    @Inject(TokensStore) private readonly tokens: TokensStore,
    @Inject(SendCommand) private readonly commands: SendCommand,
    @Inject(FleetStore) private readonly fleet: FleetStore,
  ) {
    this.held = new HeldProposals(commands);
  }

  async handle(message: Message): Promise<ProposalAnswer> {
    const said = message.json();
    if (isHeldProposal(said)) return await this.held.handle(said);
    if (isHeldDatasetProposal(said)) return await this.held.handleDataset(said);
    const parsed = parse(proposalRequestSchema, said);
    if (!parsed.ok) throw new Refusal('malformed', 'not a local change of a site', { issues: parsed.issues });
    try {
      return await this.decide(parsed.value);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (PASSING.has(error.code)) return { state: 'waiting', retryAfterMs: RETRY_MS };
      return { state: 'decided', outcome: refusedOutcome(parsed.value.request.id, error) };
    }
  }

  private async decide(proposal: ProposalRequest): Promise<ProposalAnswer> {
    const { request, site } = proposal;
    const token = this.bearerOf(proposal);
    const operation = operationOf(request.body);
    const actor = { subject: `${token.subject} at ${site}`.slice(0, SUBJECT_CHARS), role: token.role };
    if (this.isOfOneSite(site, operation)) {
      const forbidden = refuseOperation(actor, operation);
      if (forbidden !== undefined) throw new Refusal(forbidden.code, forbidden.title);
      return { state: 'decided', outcome: unchanged(proposal), alone: true };
    }
    const caller: Caller = {
      actor,
      requestId: siteCommandId(markOf(site), request.at, ownId(request.id)),
      mayBeRetry: true,
      trace: requestTrace(undefined),
    };
    const outcome = await this.commands.send(commandOf(proposal, operation), caller);
    return { state: 'decided', outcome };
  }

  /** Whether it is a stop or start of what runs at other sites too. */
  private isOfOneSite(site: string, operation: Operation): boolean {
    if (operation.verb !== 'stop' && operation.verb !== 'start') return false;
    const sites = this.fleet.sitesOf(operation);
    return sites.includes(site) && sites.some((other) => other !== site);
  }

  /** Whose request it is. The token has to have counted when it was made, and not to have been taken back since. */
  private bearerOf({ site, request }: ProposalRequest): ApiToken {
    const token = this.tokens.get(request.tokenId);
    const key = token?.offlineKey;
    if (token === undefined || key === undefined || request.site !== site || !isSignedBy(request, key))
      throw new Refusal('unauthorized', 'it is not signed by the bearer of a token that is known here');
    const madeMs = Date.parse(request.at);
    if (madeMs >= Date.parse(token.expiresAt))
      throw new Refusal('unauthorized', 'the token had expired when it was made');
    if (Date.now() - madeMs > LIMITS.proposalDays * DAY_MS)
      throw new Refusal('unauthorized', tooOld(request.at), { hint: 'ask again if it is still wanted' });
    return token;
  }
}

/** What the site's report says of it, on one line. */
function tooOld(at: string): string {
  const days = LIMITS.proposalDays;
  return `it was made at ${at}, too long ago: after ${days} days no change of a site becomes a command (limit proposalDays); ask again if it is still wanted`;
}

function commandOf({ request, after, unknown, bases }: ProposalRequest, operation: Operation): CommandBody {
  const decided: Decided = {
    at: request.at,
    after: after.map(ownId),
    unknown,
    ...(bases === undefined ? {} : { bases }),
  };
  switch (operation.verb) {
    case 'stop':
    case 'start': {
      const { project, name } = operation;
      return { verb: `workload.${operation.verb}`, project, name, decided };
    }
    case 'apply':
      return { verb: 'workload.apply', documents: operation.documents, decided };
    case 'status':
    case 'logs':
    case 'logs-more':
    case 'report':
      throw new Refusal('invalid', `${operation.verb} changes nothing`);
  }
}

function operationOf(body: string): Operation {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw new Refusal('malformed', 'the request is no JSON');
  }
  const parsed = parse(operationSchema, value);
  if (parsed.ok) return parsed.value;
  throw new Refusal('invalid', 'not an operation that is known here', { issues: parsed.issues });
}

/** Stands for a site in ids: names of sites are longer than an id may be, and are never used again. */
function markOf(site: string): string {
  return sha256(site).slice(0, MARK_CHARS);
}

/** A request's id as a part of a command's. */
function ownId(id: string): string {
  return id.length <= OWN_ID_CHARS ? id : sha256(id).slice(0, OWN_ID_CHARS);
}

const MARK_CHARS = 16;
const OWN_ID_CHARS = 36;
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

function unchanged({ request }: ProposalRequest): CommandOutcome {
  return {
    kind: 'Outcome',
    ok: true,
    requestId: request.id,
    verb: 'site.change',
    changes: [],
    decidedAt: new Date().toISOString(),
  };
}
