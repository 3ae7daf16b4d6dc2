import { Inject, Injectable } from '@nestjs/common';
import {
  Refusal,
  siteObjectAnswerSchema,
  type Dataset,
  type ObjectAnswer,
  type ObjectOperation,
  type ObjectWhere,
  type WorkloadRef,
} from '@skerry/contracts';
import { DatasetsStore } from '../stores/datasets.store.js';
import { AskCopies, type Question } from './ask-copies.js';

/** How long a site has to answer: one that reads what is not there brings it first, one that finishes an upload cuts it. */
const ANSWER_MS = 12_000;

/** Asks sites for the objects of their copies, or to make one. */
@Injectable()
export class AskObjects {
  constructor(
    @Inject(AskCopies) private readonly copies: AskCopies,
    @Inject(DatasetsStore) private readonly datasets: DatasetsStore,
  ) {}

  /** As `AskCopies.ask`; refuses a dataset of another type. */
  async ask(operation: ObjectOperation, at: string | undefined, requestId: string): Promise<ObjectAnswer> {
    const dataset = this.objects(operation);
    return await this.copies.ask(dataset, question(operation), { at, requestId, waitMs: ANSWER_MS });
  }

  /** Where an object is: whole, in part or not, at each site with a copy of its dataset. */
  async where(ref: WorkloadRef, key: string): Promise<ObjectWhere> {
    const dataset = this.objects(ref);
    const { project, name } = dataset;
    const state = question({ verb: 'state', project, name, key });
    const everywhere = await this.copies.everywhere(dataset, state, (answer) =>
      'object' in answer ? { object: answer.object } : undefined,
    );
    return { key, ...everywhere };
  }

  private objects(ref: WorkloadRef): Dataset {
    const dataset = this.datasets.one(ref);
    if (dataset.spec.type === 'objects') return dataset;
    throw new Refusal('invalid', `${dataset.project}/${dataset.name} is of type ${dataset.spec.type}`, {
      hint: 'files go into a dataset with type: objects',
    });
  }
}

function question(operation: ObjectOperation): Question<ObjectAnswer> {
  return { verb: 'object', operation, answer: siteObjectAnswerSchema };
}
