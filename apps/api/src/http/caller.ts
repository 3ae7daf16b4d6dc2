import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Actor } from '@skerry/contracts';
import { Refusal } from '@skerry/contracts';
import type { FastifyRequest } from 'fastify';

/** A request's trace, as it goes on to the bus. */
export interface RequestTrace {
  traceId: string;
  /** W3C `traceparent`. */
  header: string;
}

/** Who asks and as part of what: established here, never taken from the body. */
export interface Caller {
  actor: Actor;
  requestId: string;
  /** The client chose the id, so this may be a further try of what was done before. */
  mayBeRetry: boolean;
  trace: RequestTrace;
}

declare module 'fastify' {
  interface FastifyRequest {
    trace?: RequestTrace;
    caller?: Caller;
  }
}

/** The caller, as the token guard established it. */
export const Asked = createParamDecorator((_data: unknown, context: ExecutionContext): Caller => {
  const { caller } = context.switchToHttp().getRequest<FastifyRequest>();
  if (!caller) throw new Refusal('unauthorized', 'nobody is logged in');
  return caller;
});
