import { context, SpanKind, SpanStatusCode, trace, type Attributes, type Span } from '@opentelemetry/api';
import type { Message } from '@skerry/bus';

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
  if (options.endpoint === undefined) return { stop: () => Promise.resolve() };
  const { startExport } = await import('./otlp.js');
  const stop = startExport(options.app, options.instance);
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
