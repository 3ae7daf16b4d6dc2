import { Delete, Get, Inject, Param, Put, Query, Req } from '@nestjs/common';
import { nameSchema, quotaLimitsSchema } from '@skerry/contracts';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { AskQuotas } from './handlers/ask-quotas.js';
import { SendCommand } from './handlers/send-command.js';
import { Asked, type Caller } from './http/caller.js';
import { HttpController } from './http/http-controller.js';
import { readInput, readJsonBody } from './http/read-input.js';

/** What projects may have, over HTTP. */
@HttpController()
export class QuotasController {
  constructor(
    @Inject(AskQuotas) private readonly quotas: AskQuotas,
    @Inject(SendCommand) private readonly commands: SendCommand,
  ) {}

  @Get('quotas')
  list(@Query() query: unknown) {
    return this.quotas.page(readInput(listQuerySchema, query, 'the query'));
  }

  @Put('quotas/:project')
  set(@Param() path: unknown, @Req() request: FastifyRequest, @Asked() caller: Caller) {
    const { project } = readInput(projectPathSchema, path, 'the path');
    const limits = readJsonBody(quotaLimitsSchema, request);
    return this.commands.send({ verb: 'quota.set', project, limits }, caller);
  }

  @Delete('quotas/:project')
  remove(@Param() path: unknown, @Asked() caller: Caller) {
    const { project } = readInput(projectPathSchema, path, 'the path');
    return this.commands.send({ verb: 'quota.remove', project }, caller);
  }
}

const projectPathSchema = z.object({ project: nameSchema });
const listQuerySchema = z.object({ project: nameSchema.optional(), after: nameSchema.optional() });
