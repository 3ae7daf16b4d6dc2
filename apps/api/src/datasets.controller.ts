import { Controller, Delete, Get, HttpCode, Inject, Param, Post, Req } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import type { BucketChange } from '@skerry/bus';
import {
  BUCKETS,
  copySetSchema,
  datasetHomeSchema,
  DATASET_READS,
  datasetOperationSchema,
  datasetSchema,
  nameSchema,
} from '@skerry/contracts';
import { OnChange } from '@skerry/service';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { AskDatasets } from './handlers/ask-datasets.js';
import { ProveDataset } from './handlers/prove-dataset.js';
import { SendCommand } from './handlers/send-command.js';
import { TellDatasetLag } from './handlers/tell-dataset-lag.js';
import { Asked, type Caller } from './http/caller.js';
import { HttpController } from './http/http-controller.js';
import { readInput, readJsonBody, workloadPathSchema } from './http/read-input.js';
import { requireRole } from './http/require-role.js';
import { DatasetsStore } from './stores/datasets.store.js';

const askSchema = z.strictObject({ operation: datasetOperationSchema, site: nameSchema.optional() });

/** Datasets over HTTP: where they are, and what they hold. */
@HttpController()
export class DatasetsController {
  constructor(
    @Inject(AskDatasets) private readonly datasets: AskDatasets,
    @Inject(TellDatasetLag) private readonly lags: TellDatasetLag,
    @Inject(ProveDataset) private readonly proofs: ProveDataset,
    @Inject(SendCommand) private readonly commands: SendCommand,
  ) {}

  @Get('datasets')
  list() {
    return this.datasets.all();
  }

  @Get('datasets/:project/:name')
  where(@Param() path: unknown) {
    return this.datasets.where(readInput(workloadPathSchema, path, 'the path'));
  }

  @Get('datasets/:project/:name/proof')
  proof(@Param() path: unknown) {
    return this.proofs.of(readInput(workloadPathSchema, path, 'the path'));
  }

  @Get('datasets/:project/:name/lag')
  lag(@Param() path: unknown) {
    return this.lags.of(readInput(workloadPathSchema, path, 'the path'));
  }

  @Delete('datasets/:project/:name')
  remove(@Param() path: unknown, @Asked() caller: Caller) {
    const ref = readInput(workloadPathSchema, path, 'the path');
    return this.commands.send({ verb: 'dataset.remove', ...ref }, caller);
  }

  /** Anyone may read, as with logs; to write takes who may apply. */
  @Post('datasets/ask')
  @HttpCode(200)
  ask(@Req() request: FastifyRequest, @Asked() caller: Caller) {
    const { operation, site } = readJsonBody(askSchema, request);
    if (!DATASET_READS.has(operation.verb)) requireRole('operator', caller, 'write to datasets');
    return this.datasets.ask(operation, site, caller.requestId);
  }
}

/** What api hears of datasets on the bus. */
@Controller()
export class DatasetsHearing {
  constructor(@Inject(DatasetsStore) private readonly datasets: DatasetsStore) {}

  @OnChange(BUCKETS.datasets, datasetSchema)
  dataset(@Payload() change: BucketChange<unknown>): void {
    this.datasets.take(change);
  }

  @OnChange(BUCKETS.copies, copySetSchema)
  copies(@Payload() change: BucketChange<unknown>): void {
    this.datasets.takeCopies(change);
  }

  @OnChange(BUCKETS.homes, datasetHomeSchema)
  home(@Payload() change: BucketChange<unknown>): void {
    this.datasets.takeHome(change);
  }
}
