import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import { Conflict, Malformed, StorageFull, TimedOut, TooLarge, Unavailable } from '@skerry/bus';
import { ERROR_STATUS, type ErrorCode, LIMITS, type Problem, readOut, Refusal } from '@skerry/contracts';
import type { JsonLog } from '@skerry/service';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { MAKE_ROOM } from '../handlers/hub-health.js';

/** Seconds after which to try again, where trying again makes sense. */
const RETRY_AFTER_S: Partial<Record<ErrorCode, number>> = { unavailable: 1, throttled: 2, timeout: 1 };

/** Answers every error as an RFC 9457 problem; what nobody expected is logged and told by its trace id alone. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly log: JsonLog) {}

  async catch(error: unknown, host: ArgumentsHost): Promise<void> {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    const problem = this.problemOf(error, request);
    await readOut(request.raw);
    if (reply.sent || reply.raw.headersSent) return;
    const retryAfter = RETRY_AFTER_S[problem.code];
    if (retryAfter !== undefined) void reply.header('retry-after', String(retryAfter));
    if (problem.code === 'unauthorized') void reply.header('www-authenticate', 'Bearer realm="skerry"');
    void reply.status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
  }

  private problemOf(error: unknown, request: FastifyRequest): Problem {
    const problem = toProblem(error);
    if (problem.code === 'internal') this.log.error('a request failed', error);
    const { caller, trace } = request;
    return {
      ...problem,
      ...(caller ? { requestId: problem.requestId ?? caller.requestId } : {}),
      ...(trace ? { traceId: trace.traceId } : {}),
    };
  }
}

/** What a person is told of an error. Errors nobody expected tell nothing of their inside. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Refusal) return error.problem();
  if (error instanceof HttpException) return ofHttp(error);
  const again = 'try again; with the same Idempotency-Key nothing happens twice';
  if (error instanceof Unavailable) {
    return problem(
      'unavailable',
      `the cloud's bus or a service does not answer: ${error.message}`,
      `${again}; \`skerry doctor\` shows what is down`,
    );
  }
  if (error instanceof TimedOut) return problem('timeout', `no answer in time: ${error.message}`, again);
  if (error instanceof StorageFull) {
    return problem(
      'storage-full',
      `nothing more can be stored: ${error.message}`,
      `${error.cause instanceof TimedOut ? MAKE_ROOM : '`skerry doctor` shows what is full'}. Nothing was applied`,
    );
  }
  if (error instanceof TooLarge) return problem('too-large', error.message, 'split it; nothing was applied');
  if (error instanceof Malformed) return problem('malformed', error.message);
  if (error instanceof Conflict) return problem('conflict', error.message, 'look again and repeat it');
  return problem('internal', 'something went wrong inside; the service has logged it under the trace id');
}

/** Errors of the HTTP layer: unknown paths, bodies over the limit, broken requests. */
function ofHttp(error: HttpException): Problem {
  const status = error.getStatus();
  if (status === 404) return problem('not-found', error.message, 'paths are listed in apps/api/README.md');
  if (status === 413) {
    return problem(
      'too-large',
      'the body is larger than a request may be',
      `at most ${LIMITS.documentBytes} bytes of documents (limit documentBytes)`,
    );
  }
  if (status === 401) return problem('unauthorized', error.message);
  if (status === 403) return problem('forbidden', error.message);
  return status < 500
    ? problem('malformed', error.message)
    : problem('internal', 'something went wrong inside');
}

function problem(code: ErrorCode, title: string, hint?: string): Problem {
  return { code, title, status: ERROR_STATUS[code], issues: [], ...(hint ? { hint } : {}) };
}
