import { Get, HttpCode, Inject, Param, Post, Query, Req } from '@nestjs/common';
import { datasetKeySchema, nameSchema, objectOperationSchema } from '@skerry/contracts';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { AskObjects } from './handlers/ask-objects.js';
import { Asked, type Caller } from './http/caller.js';
import { HttpController } from './http/http-controller.js';
import { readInput, readJsonBody, workloadPathSchema } from './http/read-input.js';
import { requireRole } from './http/require-role.js';

const askSchema = z.strictObject({ operation: objectOperationSchema, site: nameSchema.optional() });
const keySchema = z.object({ key: datasetKeySchema });
const READS = new Set(['list', 'state', 'read']);

/** Objects of datasets over HTTP, a piece at a time. */
@HttpController()
export class ObjectsController {
  constructor(@Inject(AskObjects) private readonly objects: AskObjects) {}

  @Get('datasets/:project/:name/object')
  where(@Param() path: unknown, @Query() query: unknown) {
    const { key } = readInput(keySchema, query, 'the query');
    return this.objects.where(readInput(workloadPathSchema, path, 'the path'), key);
  }

  /** Anyone may read; to write takes who may apply. */
  @Post('datasets/object')
  @HttpCode(200)
  ask(@Req() request: FastifyRequest, @Asked() caller: Caller) {
    const { operation, site } = readJsonBody(askSchema, request);
    if (!READS.has(operation.verb)) requireRole('operator', caller, 'write to datasets');
    return this.objects.ask(operation, site, caller.requestId);
  }
}
