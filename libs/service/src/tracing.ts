import { context, SpanKind, SpanStatusCode, trace, type Attributes, type Span } from '@opentelemetry/api';
import type { Headers, Message } from '@skerry/bus';
import { HEADERS } from '@skerry/contracts';

const tracer = () => trace.getTracer('skerry');
let on = false;

/** What ends tracing: flushes what is queued, within 2 s. Never rejects. */
export interface Tracing {
  stop(): Promise<void>;
}

/** Starts exporting spans by OTLP/HTTP as `skerry-<app>`; without an endpoint nothing is loaded and spans cost nothing. */
export async function startTracing(options: {
  app: string;
  instance: string;
  endpoint: string | undefined;
}): Promise<Tracing> {
  const { app, instance, endpoint } = options;
  if (endpoint === undefined) return { stop: () => Promise.resolve() };
  const { startExport } = await import('./otlp.js');
  const stop = startExport({ app, instance, endpoint });
  on = true;
  return { stop };
}

/** Runs `work` in a span below the active one. A throw is recorded and goes on. */
export function spanned<T>(
  name: string,
  attributes: Attributes,
  work: (span: Span) => Promise<T>,
): Promise<T> {
  return inSpan(name, SpanKind.INTERNAL, attributes, work);
}

/** Runs a handler in a CONSUMER span. The bus has made the sender's context the active one. */
export function consumed<T>(name: string, message: Message, work: () => Promise<T>): Promise<T> {
  if (!on) return work();
  const attributes = { 'messaging.system': 'nats', 'messaging.destination.name': message.subject };
  return inSpan(`handle ${name}`, SpanKind.CONSUMER, attributes, work);
}

/**
 * Headers for what a handler writes because of `message`: its request id, and its trace where no span is active. (With a span the
 * bus puts that one in, so that what follows hangs below it.)
 */
export function carriedOn(headers: Headers): Headers {
  const kept = trace.getActiveSpan() ? [HEADERS.requestId] : [HEADERS.requestId, HEADERS.traceparent];
  return Object.fromEntries(kept.flatMap((name) => (headers[name] ? [[name, headers[name]]] : [])));
}

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/;
/** The trace id in the headers, whether this process traces or not. */
export function traceIdOf(headers: Headers): string | undefined {
  return TRACEPARENT.exec(headers[HEADERS.traceparent] ?? '')?.[1];
}

async function inSpan<T>(
  name: string,
  kind: SpanKind,
  attributes: Attributes,
  work: (span: Span) => Promise<T>,
): Promise<T> {
  const span = tracer().startSpan(name, { kind, attributes });
  try {
    return await context.with(trace.setSpan(context.active(), span), () => work(span));
  } catch (error) {
    const text = error instanceof Error ? error.message : 'failed';
    span.setStatus({ code: SpanStatusCode.ERROR, message: text });
    throw error;
  } finally {
    span.end();
  }
}
