import { Inject, Injectable } from '@nestjs/common';
import type { Message } from '@skerry/bus';
import {
  LIMITS,
  parse,
  Refusal,
  statusListRequestSchema,
  workloadKey,
  workloadRefSchema,
  type Status,
  type StatusListAnswer,
} from '@skerry/contracts';
import { JsonLog } from '@skerry/service';
import type { z } from 'zod';
import { MemoryReadModel } from '../stores/memory-read-model.store.js';
import { READ_MODEL, type ReadModel } from '../stores/read-model.js';
import { fitting } from '../trim.js';
import { Fold } from './fold.handler.js';

/** Answers from the read model. Where a shared one cannot be reached, this instance folds what is asked for itself. */
@Injectable()
export class AnswerStatus {
  constructor(
    private readonly fold: Fold,
    @Inject(READ_MODEL) private readonly model: ReadModel,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  async one(message: Message): Promise<Status> {
    const { project, name } = asked(workloadRefSchema, message);
    const key = workloadKey(project, name);
    const status = await this.read(
      (model) => model.get(key),
      async () => this.fold.now(key),
    );
    if (status === undefined || status.phase === 'removed') {
      throw new Refusal('not-found', `there is no workload ${project}/${name}`);
    }
    return fitting(status);
  }

  async list(message: Message): Promise<StatusListAnswer> {
    const request = { ...asked(statusListRequestSchema, message), bytes: LIMITS.statusPageBytes };
    const page = await this.read(
      (model) => model.page(request),
      async () => (await this.folded()).page(request),
    );
    return { ...page, items: page.items.map(fitting) };
  }

  private async read<T>(fromModel: (model: ReadModel) => Promise<T>, fromFold: () => Promise<T>): Promise<T> {
    if (!this.model.shared) await this.fold.flush();
    try {
      return await fromModel(this.model);
    } catch (error) {
      this.log.warn('read model not read, folding instead', error);
      return fromFold();
    }
  }

  private async folded(): Promise<ReadModel> {
    const model = new MemoryReadModel();
    const statuses = this.fold.keys().flatMap((key) => {
      const status = this.fold.now(key);
      return status === undefined || status.phase === 'removed' ? [] : [{ key, status }];
    });
    await model.write(statuses);
    return model;
  }
}

function asked<T>(schema: z.ZodType<T>, message: Message): T {
  const parsed = parse(schema, message.json());
  if (!parsed.ok)
    throw new Refusal('invalid', 'the request is not what it should be', { issues: parsed.issues });
  return parsed.value;
}
