import { Inject, Injectable } from '@nestjs/common';
import type { Bus } from '@skerry/bus';
import {
  logAnswerSchema,
  parseAcross,
  Refusal,
  RPC,
  siteLogAnswerSchema,
  type LogAnswer,
  type LogOperation,
} from '@skerry/contracts';
import { BUS } from '@skerry/service';
import { DatasetsStore } from '../stores/datasets.store.js';
import { AskCopies } from './ask-copies.js';

const ANSWER_MS = 5_000;

/** Asks for what logs hold, or to append to them: the centre, or a site. */
@Injectable()
export class AskLogs {
  constructor(
    @Inject(BUS) private readonly bus: Bus,
    @Inject(AskCopies) private readonly copies: AskCopies,
    @Inject(DatasetsStore) private readonly datasets: DatasetsStore,
  ) {}

  /**
   * Has the named site do it. Without: what is read is read at the centre, and what is appended to a log that goes from the centre
   * to the sites is written there; to any other at a site that is ready. `requestId` makes it safe to ask for the same again.
   */
  async ask(operation: LogOperation, at: string | undefined, requestId: string): Promise<LogAnswer> {
    const dataset = this.datasets.one(operation);
    const ref = `${dataset.project}/${dataset.name}`;
    if (dataset.spec.type !== 'log')
      throw new Refusal('invalid', `${ref} is no log but ${dataset.spec.type}`, {
        hint: `it has keys: "skerry data ls ${ref}"`,
      });
    const centre = at === undefined && (operation.verb === 'tail' || dataset.spec.log?.flow === 'broadcast');
    if (centre) return await this.atCentre(operation, requestId);
    const question = { verb: 'log', operation, answer: siteLogAnswerSchema } as const;
    return await this.copies.ask(dataset, question, { at, requestId, waitMs: waitMsOf(operation) });
  }

  private async atCentre(operation: LogOperation, requestId: string): Promise<LogAnswer> {
    const timeoutMs = waitMsOf(operation);
    const message = await this.bus.request(RPC.centreLog, { id: requestId, operation }, { timeoutMs });
    const answer = parseAcross(logAnswerSchema, message.json());
    if (answer.ok) return answer.value;
    throw new Refusal('internal', 'the replicator answered something else');
  }
}

function waitMsOf(operation: LogOperation): number {
  return ANSWER_MS + (operation.verb === 'tail' ? operation.waitMs : 0);
}
