import { createHash } from 'node:crypto';
import {
  datasetDocumentSchema,
  heldDatasetProposalSchema,
  heldProposalSchema,
  parse,
  Refusal,
  workloadDocumentSchema,
  type Assignment,
  type CommandBody,
  type CommandOutcome,
  type HeldDataset,
  type ProposalAnswer,
} from '@skerry/contracts';
import { datasetDocumentOf, documentOf } from '@skerry/domain';
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
    const { project, name, version } = held;
    const which = [project, name, version.generation];
    return await this.decide(() => commandOf(site, held), callerOf(site, which));
  }

  /** The same of a dataset that a site has a copy of. */
  async handleDataset(said: unknown): Promise<ProposalAnswer> {
    const parsed = parse(heldDatasetProposalSchema, said);
    if (!parsed.ok) throw new Refusal('malformed', 'not what a site can hold', { issues: parsed.issues });
    const { site, dataset } = parsed.value;
    const { project, name, generation, declared } = dataset;
    // What one says of a dataset that was never so is no answer for another.
    const which = [
      'dataset',
      project,
      name,
      generation,
      dataset.incarnation,
      declared.warrant,
      declared.rest,
    ];
    return await this.decide(() => datasetCommandOf(site, dataset), callerOf(site, which));
  }

  private async decide(bodyOf: () => CommandBody, caller: Caller): Promise<ProposalAnswer> {
    try {
      const outcome = await this.commands.send(bodyOf(), caller);
      return { state: 'decided', outcome };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (PASSING.has(error.code)) return { state: 'waiting', retryAfterMs: RETRY_MS };
      return { state: 'decided', outcome: refusedOutcome(caller.requestId, error) };
    }
  }
}

function datasetCommandOf(site: string, held: HeldDataset): CommandBody {
  const document = parse(datasetDocumentSchema, datasetDocumentOf(held));
  if (!document.ok)
    throw new Refusal('invalid', `what ${site} holds is no dataset as it can be declared here`, {
      issues: document.issues,
      hint: 'apply it again if it is wanted',
    });
  const { incarnation, generation, declared } = held;
  const { warrant } = declared;
  return { verb: 'dataset.recover', document: document.value, incarnation, generation, warrant };
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
function callerOf(site: string, of: readonly (string | number)[]): Caller {
  const which = [site, ...of, Math.floor(Date.now() / AGAIN_MS)].join(' ');
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
