import { Inject, Injectable } from '@nestjs/common';
import type { Message } from '@skerry/bus';
import {
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
import { isSignedBy } from '@skerry/identity';
import type { Caller } from '../http/caller.js';
import { requestTrace } from '../http/request-trace.js';
import { TokensStore } from '../stores/tokens.store.js';
import { SendCommand } from './send-command.js';

/** A change that waited longer for its site's return is not made any more. */
const MAX_AGE_MS = 7 * 24 * 60 * 60_000;
const SUBJECT_CHARS = 128;
const RETRY_MS = 500;
/** What may go well when it is asked for again. */
const PASSING: ReadonlySet<string> = new Set([
  'unavailable',
  'timeout',
  'throttled',
  'storage-full',
  'internal',
]);

/**
 * Makes commands of what people changed at a site that was cut off. Who that was is proven by their signature, not by what
 * the site says: a site can pass on what was asked of it, and ask for nothing itself. The request's id is the command's, so
 * that it is made once.
 */
@Injectable()
export class SiteProposals {
  constructor(
    @Inject(TokensStore) private readonly tokens: TokensStore,
    @Inject(SendCommand) private readonly commands: SendCommand,
  ) {}

  async handle(message: Message): Promise<ProposalAnswer> {
    const parsed = parse(proposalRequestSchema, message.json());
    if (!parsed.ok) throw new Refusal('malformed', 'not a local change of a site', { issues: parsed.issues });
    try {
      return { state: 'decided', outcome: await this.decide(parsed.value) };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (PASSING.has(error.code)) return { state: 'waiting', retryAfterMs: RETRY_MS };
      return { state: 'decided', outcome: outcomeOf(parsed.value, error) };
    }
  }

  private decide(proposal: ProposalRequest): Promise<CommandOutcome> {
    const { request } = proposal;
    const token = this.bearerOf(proposal);
    const caller: Caller = {
      actor: { subject: `${token.subject} at ${proposal.site}`.slice(0, SUBJECT_CHARS), role: token.role },
      requestId: request.id,
      mayBeRetry: true,
      trace: requestTrace(undefined),
    };
    return this.commands.send(commandOf(proposal), caller);
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
    if (Date.now() - madeMs > MAX_AGE_MS)
      throw new Refusal('unauthorized', `it was made at ${request.at}, too long ago`, {
        hint: 'ask again if it is still wanted',
      });
    return token;
  }
}

function commandOf({ request, after, unknown }: ProposalRequest): CommandBody {
  const decided: Decided = { at: request.at, after, unknown };
  const operation = operationOf(request.body);
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

function outcomeOf({ request }: ProposalRequest, { code, message, details }: Refusal): CommandOutcome {
  return {
    kind: 'Outcome',
    ok: false,
    requestId: request.id,
    verb: 'site.change',
    code,
    title: message,
    issues: details.issues ?? [],
    ...(details.hint === undefined ? {} : { hint: details.hint }),
    decidedAt: new Date().toISOString(),
  };
}
