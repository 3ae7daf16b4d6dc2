import { Delete, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { Refusal, requestIdSchema } from '@skerry/contracts';
import { z } from 'zod';
import { HandleDeadLetters } from './handlers/dead-letters.js';
import { RunDoctor } from './handlers/run-doctor.js';
import { ShowUpgrade } from './handlers/show-upgrade.js';
import { Asked, type Caller } from './http/caller.js';
import { HttpController } from './http/http-controller.js';
import { numberText, readInput } from './http/read-input.js';
import { OutcomesStore } from './stores/outcomes.store.js';

/** What operators look after, over HTTP: outcomes, dead letters, versions, the doctor. */
@HttpController()
export class OperationsController {
  constructor(
    @Inject(OutcomesStore) private readonly outcomes: OutcomesStore,
    @Inject(HandleDeadLetters) private readonly deadLetters: HandleDeadLetters,
    @Inject(RunDoctor) private readonly checks: RunDoctor,
    @Inject(ShowUpgrade) private readonly versions: ShowUpgrade,
  ) {}

  @Get('outcomes/:requestId')
  async outcome(@Param() path: unknown) {
    const { requestId } = readInput(z.object({ requestId: requestIdSchema }), path, 'the path');
    const outcome = await this.outcomes.get(requestId);
    if (outcome) return outcome;
    throw new Refusal('not-found', `no outcome of request ${requestId}`, {
      hint: 'outcomes are kept for 24 h',
    });
  }

  @Get('dlq')
  listDeadLetters(@Query() query: unknown, @Asked() caller: Caller) {
    const { after } = readInput(
      z.object({ after: numberText(Number.MAX_SAFE_INTEGER).optional() }),
      query,
      'the query',
    );
    return this.deadLetters.list(after, caller);
  }

  @Get('dlq/:id')
  deadLetter(@Param() path: unknown, @Asked() caller: Caller) {
    return this.deadLetters.one(readInput(letterPathSchema, path, 'the path').id, caller);
  }

  @Post('dlq/:id/retry')
  @HttpCode(200)
  retryDeadLetter(@Param() path: unknown, @Asked() caller: Caller) {
    return this.deadLetters.retry(readInput(letterPathSchema, path, 'the path').id, caller);
  }

  @Delete('dlq/:id')
  dropDeadLetter(@Param() path: unknown, @Asked() caller: Caller) {
    return this.deadLetters.drop(readInput(letterPathSchema, path, 'the path').id, caller);
  }

  @Get('upgrade')
  upgrade() {
    return this.versions.show();
  }

  @Get('doctor')
  doctor() {
    return this.checks.run();
  }
}

const letterPathSchema = z.object({ id: numberText(Number.MAX_SAFE_INTEGER) });
