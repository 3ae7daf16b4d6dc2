import { HttpCode, Inject, Post, Req } from '@nestjs/common';
import { logOperationSchema, nameSchema } from '@skerry/contracts';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { AskLogs } from './handlers/ask-logs.js';
import { Asked, type Caller } from './http/caller.js';
import { HttpController } from './http/http-controller.js';
import { readJsonBody } from './http/read-input.js';
import { requireRole } from './http/require-role.js';

const askSchema = z.strictObject({ operation: logOperationSchema, site: nameSchema.optional() });

/** Logs of datasets over HTTP. */
@HttpController()
export class LogsController {
  constructor(@Inject(AskLogs) private readonly logs: AskLogs) {}

  /** Anyone may read; to append takes who may apply. */
  @Post('datasets/log')
  @HttpCode(200)
  ask(@Req() request: FastifyRequest, @Asked() caller: Caller) {
    const { operation, site } = readJsonBody(askSchema, request);
    if (operation.verb === 'append') requireRole('operator', caller, 'write to datasets');
    return this.logs.ask(operation, site, caller.requestId);
  }
}
