import {
  Controller,
  Delete,
  Get,
  Inject,
  Param,
  Put,
  Query,
  Req,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { nameSchema, quotaLimitsSchema } from '@skerry/contracts';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { AskQuotas } from './handlers/ask-quotas.js';
import { SendCommand } from './handlers/send-command.js';
import { Asked, type Caller } from './http/caller.js';
import { readInput, readJsonBody } from './http/read-input.js';
import { TraceInterceptor } from './http/request-trace.js';
import { TokenGuard } from './http/token.guard.js';

/** What projects may have, over HTTP. */
@Controller('v1')
@UseGuards(TokenGuard)
@UseInterceptors(TraceInterceptor)
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
