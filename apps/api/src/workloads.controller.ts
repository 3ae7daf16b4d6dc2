import { Delete, Get, HttpCode, Inject, Param, Post, Query, Req } from '@nestjs/common';
import { commandBodySchema, instantSchema, nameSchema } from '@skerry/contracts';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { ApplyDocuments } from './handlers/apply-documents.js';
import { SendCommand } from './handlers/send-command.js';
import { WorkloadViews } from './handlers/workload-view.js';
import { Asked, type Caller } from './http/caller.js';
import { HttpController } from './http/http-controller.js';
import { numberText, rawBody, readInput, readJsonBody, workloadPathSchema } from './http/read-input.js';

/** Workloads over HTTP, one method a path; each delegates. Bodies and refusals are in the README of this room. */
@HttpController()
export class WorkloadsController {
  constructor(
    @Inject(ApplyDocuments) private readonly documents: ApplyDocuments,
    @Inject(SendCommand) private readonly commands: SendCommand,
    @Inject(WorkloadViews) private readonly workloads: WorkloadViews,
  ) {}

  @Post('apply')
  @HttpCode(200)
  apply(@Req() request: FastifyRequest, @Query() query: unknown, @Asked() caller: Caller) {
    const { ifGeneration } = readInput(applyQuerySchema, query, 'the query');
    return this.documents.apply(rawBody(request), ifGeneration, caller);
  }

  @Get('workloads/:project/:name')
  workload(@Param() path: unknown) {
    return this.workloads.one(readInput(workloadPathSchema, path, 'the path'));
  }

  @Get('workloads/:project/:name/why')
  why(@Param() path: unknown, @Query() query: unknown) {
    const ref = readInput(workloadPathSchema, path, 'the path');
    return this.workloads.why({ ...ref, ...readInput(whyQuerySchema, query, 'the query') });
  }

  @Post('workloads/:project/:name/scale')
  @HttpCode(200)
  scale(@Param() path: unknown, @Req() request: FastifyRequest, @Asked() caller: Caller) {
    const ref = readInput(workloadPathSchema, path, 'the path');
    const { replicas } = readJsonBody(z.strictObject({ replicas: z.number() }), request);
    const body = { verb: 'workload.scale', ...ref, replicas };
    return this.commands.send(readInput(commandBodySchema, body, 'the command'), caller);
  }

  @Post('workloads/:project/:name/stop')
  @HttpCode(200)
  stop(@Param() path: unknown, @Asked() caller: Caller) {
    const ref = readInput(workloadPathSchema, path, 'the path');
    return this.commands.send({ verb: 'workload.stop', ...ref }, caller);
  }

  @Post('workloads/:project/:name/start')
  @HttpCode(200)
  start(@Param() path: unknown, @Asked() caller: Caller) {
    const ref = readInput(workloadPathSchema, path, 'the path');
    return this.commands.send({ verb: 'workload.start', ...ref }, caller);
  }

  @Delete('workloads/:project/:name')
  remove(@Param() path: unknown, @Asked() caller: Caller) {
    const ref = readInput(workloadPathSchema, path, 'the path');
    return this.commands.send({ verb: 'workload.remove', ...ref }, caller);
  }
}

const applyQuerySchema = z.object({ ifGeneration: numberText(Number.MAX_SAFE_INTEGER).optional() });
const whyQuerySchema = z
  .object({
    site: nameSchema.optional(),
    revision: numberText(Number.MAX_SAFE_INTEGER).optional(),
    at: instantSchema.optional(),
  })
  .refine((q) => q.revision === undefined || q.at === undefined, 'either revision or at');
