import { Inject, Injectable } from '@nestjs/common';
import {
  Refusal,
  siteDatasetAnswerSchema,
  siteLogAnswerSchema,
  type CopyState,
  type Dataset,
  type DatasetAnswer,
  type DatasetList,
  type DatasetOperation,
  type DatasetWhere,
  type LogAnswer,
  type WorkloadRef,
} from '@skerry/contracts';
import { DatasetsStore } from '../stores/datasets.store.js';
import { AskCopies } from './ask-copies.js';

/** How long a site has to answer; one that is asked for changes waits for them first. */
const ANSWER_MS = 5_000;

/** Asks sites for what their copies of datasets hold, or to write. The hub's own copy of the records is never read for people. */
@Injectable()
export class AskDatasets {
  constructor(
    @Inject(AskCopies) private readonly copies: AskCopies,
    @Inject(DatasetsStore) private readonly datasets: DatasetsStore,
  ) {}

  all(): DatasetList {
    return this.datasets.listed();
  }

  /** As `AskCopies.ask`; refuses a log. */
  async ask(operation: DatasetOperation, at: string | undefined, requestId: string): Promise<DatasetAnswer> {
    const dataset = this.datasets.one(operation);
    refuseLog(dataset);
    const waitMs = operation.verb === 'watch' ? operation.waitMs + ANSWER_MS : ANSWER_MS;
    const ofGivenUp = operation.verb === 'list' && operation.conflicting === true;
    const question = { verb: 'dataset', operation, answer: siteDatasetAnswerSchema, ofGivenUp } as const;
    return await this.copies.ask(dataset, question, { at, requestId, waitMs });
  }

  /** Where copies are, by which rule, and how each stands. */
  async where(ref: WorkloadRef): Promise<DatasetWhere> {
    const dataset = this.datasets.one(ref);
    const { rule, copies, without } = await this.states(dataset);
    const chosen = new Map(this.datasets.copySet(dataset)?.copies.map((copy) => [copy.site, copy]));
    const told = copies.map((copy) => {
      const why = chosen.get(copy.site);
      return why === undefined ? copy : { ...copy, chosen: why };
    });
    const homeNow = this.datasets.homeNow(dataset);
    return { dataset, rule, copies: told, without, ...(homeNow && { homeNow }) };
  }

  private async states(dataset: Dataset) {
    const { project, name, spec } = dataset;
    const operation = { verb: 'state', project, name } as const;
    return spec.type === 'log'
      ? await this.copies.everywhere(
          dataset,
          { verb: 'log', operation, answer: siteLogAnswerSchema },
          stateIn,
        )
      : await this.copies.everywhere(
          dataset,
          { verb: 'dataset', operation, answer: siteDatasetAnswerSchema },
          stateIn,
        );
  }
}

function stateIn(answer: DatasetAnswer | LogAnswer): { state: CopyState } | undefined {
  return 'state' in answer ? { state: answer.state } : undefined;
}

/** A log has entries, not keys. Throws a `Refusal`. */
export function refuseLog({ project, name, spec }: Dataset): void {
  if (spec.type !== 'log') return;
  throw new Refusal('invalid', `${project}/${name} is a log: it has entries, not keys`, {
    hint: `"skerry data tail ${project}/${name}" reads it, "skerry data append" writes to it, "skerry data where" says how its sites stand`,
  });
}
