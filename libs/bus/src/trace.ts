import { context, propagation, ROOT_CONTEXT, type Context } from '@opentelemetry/api';
import type { Headers } from './bus.js';

/** Whether a propagator is registered; without one nothing is spent on tracing. */
const traced = () => propagation.fields().length > 0;

/** The headers with the active trace context added. Headers that carry one already keep it. */
export function withTrace(headers: Headers | undefined): Headers {
  if (!traced()) return headers ?? {};
  const carrier: Record<string, string> = {};
  propagation.inject(context.active(), carrier);
  return { ...carrier, ...headers };
}

/** The trace context that the headers carry. */
export function traceOf(headers: Headers): Context {
  return propagation.extract(ROOT_CONTEXT, headers);
}

/** Runs `act` inside the trace context that the headers carry. */
export function inTrace<T>(headers: () => Headers, act: () => T): T {
  return traced() ? context.with(traceOf(headers()), act) : act();
}
