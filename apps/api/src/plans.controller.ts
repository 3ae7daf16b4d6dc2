import { Get, HttpCode, Inject, Param, Post, Req } from '@nestjs/common';
import { planIdSchema, whatIfBodySchema } from '@skerry/contracts';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { MakePlans } from './handlers/make-plans.js';
import { Asked, type Caller } from './http/caller.js';
import { HttpController } from './http/http-controller.js';
import { rawBody, readInput, readJsonBody } from './http/read-input.js';

/** Previews over HTTP: what would be placed where, and the applying of exactly that. */
@HttpController()
export class PlansController {
  constructor(@Inject(MakePlans) private readonly plans: MakePlans) {}

  @Post('plan')
  @HttpCode(200)
  plan(@Req() request: FastifyRequest, @Asked() caller: Caller) {
    return this.plans.plan(rawBody(request), caller);
  }

  @Post('what-if')
  @HttpCode(200)
  whatIf(@Req() request: FastifyRequest, @Asked() caller: Caller) {
    return this.plans.whatIf(readJsonBody(whatIfBodySchema, request), caller);
  }

  @Get('plans/:id')
  kept(@Param() path: unknown) {
    return this.plans.kept(readInput(planPathSchema, path, 'the path').id);
  }

  @Post('plans/:id/apply')
  @HttpCode(200)
  apply(@Param() path: unknown, @Asked() caller: Caller) {
    return this.plans.apply(readInput(planPathSchema, path, 'the path').id, caller);
  }
}

const planPathSchema = z.object({ id: planIdSchema });
