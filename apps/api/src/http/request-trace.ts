import { randomBytes } from 'node:crypto';
import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { context, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { spanned } from '@skerry/service';
import type { FastifyRequest } from 'fastify';
import { from, lastValueFrom, type Observable } from 'rxjs';
import type { RequestTrace } from './caller.js';

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/;
const ZEROES = /^0+$/;

/** The trace a request belongs to: the one it names, or a new one when it names none that is valid. */
export function requestTrace(header: string | string[] | undefined): RequestTrace {
  const given = typeof header === 'string' ? header : '';
  const [, traceId = '', spanId = ''] = TRACEPARENT.exec(given) ?? [];
  if (traceId !== '' && !ZEROES.test(traceId) && !ZEROES.test(spanId)) return { traceId, header: given };
  const made = randomBytes(16).toString('hex');
  return { traceId: made, header: `00-${made}-${randomBytes(8).toString('hex')}-01` };
}

/** Headers that carry the trace over the bus. With a span active the bus puts that in by itself. */
export function traceHeaders(of: RequestTrace): Record<string, string> {
  return trace.getActiveSpan() ? {} : { traceparent: of.header };
}

/** Runs each request in a span of its own below the caller's. Without tracing it costs nothing to speak of. */
@Injectable()
export class TraceInterceptor implements NestInterceptor {
  intercept(execution: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = execution.switchToHttp().getRequest<FastifyRequest>();
    const carrier = { traceparent: request.trace?.header ?? '' };
    const parent = propagation.extract(ROOT_CONTEXT, carrier);
    const name = `${request.method} ${request.routeOptions.url ?? '?'}`;
    const attributes = { 'http.request.method': request.method };
    const work = () => lastValueFrom(next.handle(), { defaultValue: undefined });
    return from(context.with(parent, () => spanned(name, attributes, work)));
  }
}
