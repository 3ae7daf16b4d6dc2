import { createHash } from 'node:crypto';
import {
  heldProposalSchema,
  parse,
  Refusal,
  workloadDocumentSchema,
  type Assignment,
  type CommandBody,
  type CommandOutcome,
  type ProposalAnswer,
} from '@skerry/contracts';
import { documentOf } from '@skerry/domain';
import type { Caller } from '../http/caller.js';
import { requestTrace } from '../http/request-trace.js';
import type { SendCommand } from './send-command.js';

/** What may go well when it is asked for again. */
export const PASSING: ReadonlySet<string> = new Set([
  'unavailable',
  'timeout',
  'throttled',
  'storage-full',
  'internal',
]);
const RETRY_MS = 500;
/** What was refused is decided anew after this long: what was missing may be there. */
const AGAIN_MS = 10 * 60_000;
const ID_CHARS = 40;

/** Makes commands of what sites hold and a restored hub does not know. Whether it was ever admitted policy tells by its warrant. */
export class HeldProposals {
  constructor(private readonly commands: Pick<SendCommand, 'send'>) {}

  async handle(said: unknown): Promise<ProposalAnswer> {
    const parsed = parse(heldProposalSchema, said);
    if (!parsed.ok) throw new Refusal('malformed', 'not what a site can hold', { issues: parsed.issues });
    const { site, held } = parsed.value;
    const caller = callerOf(site, held);
    try {
      const outcome = await this.commands.send(commandOf(site, held), caller);
      return { state: 'decided', outcome };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (PASSING.has(error.code)) return { state: 'waiting', retryAfterMs: RETRY_MS };
      return { state: 'decided', outcome: refusedOutcome(caller.requestId, error) };
    }
  }
}

function commandOf(site: string, held: Assignment): CommandBody {
  const { declared, version, replicas } = held;
  const document = parse(workloadDocumentSchema, documentOf(held));
  if (declared === undefined || !document.ok)
    throw new Refusal('invalid', `what ${site} holds does not say all that was declared`, {
      hint: 'an older hub sent it: apply it again if it is wanted',
    });
  return {
    verb: 'workload.recover',
    document: document.value,
    generation: version.generation,
    warrant: declared.warrant,
    at: { site, replicas },
  };
}

/** The same for the same object of a site, for a while: it may ask as often as it likes. */
function callerOf(site: string, { project, name, version }: Assignment): Caller {
  const which = [site, project, name, version.generation, Math.floor(Date.now() / AGAIN_MS)].join(' ');
  return {
    actor: { subject: `site ${site}`, role: 'operator' },
    requestId: `held-${createHash('sha256').update(which).digest('hex').slice(0, ID_CHARS)}`,
    mayBeRetry: true,
    trace: requestTrace(undefined),
  };
}

/** A refusal as the outcome of what a site has asked for. */
export function refusedOutcome(requestId: string, { code, message, details }: Refusal): CommandOutcome {
  return {
    kind: 'Outcome',
    ok: false,
    requestId,
    verb: 'site.change',
    code,
    title: message,
    issues: details.issues ?? [],
    ...(details.hint === undefined ? {} : { hint: details.hint }),
    decidedAt: new Date().toISOString(),
  };
}
