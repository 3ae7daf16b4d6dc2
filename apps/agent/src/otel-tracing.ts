import {
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
} from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { ATTR_SERVICE_NAME } from '@opentelemetry/semantic-conventions';
import type { Span, Tracing } from './tracing.js';

/** Spans waiting to be sent: with many more the exporter refuses to end in order. */
const MAX_QUEUE = 2_048;
const CLOSE_MS = 2_000;

/** Traces sent by OTLP over HTTP to `OTEL_EXPORTER_OTLP_ENDPOINT`. Losing some is no failure of the agent. */
export function otelTracing(instance: string): Tracing {
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({
      [ATTR_SERVICE_NAME]: 'skerry-agent',
      'service.instance.id': instance,
    }),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter(), { maxQueueSize: MAX_QUEUE })],
  });
  trace.setGlobalTracerProvider(provider);
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  const tracer = trace.getTracer('skerry-agent');
  return {
    start: (name, parent, attributes) => {
      const span = tracer.startSpan(name, { kind: SpanKind.CONSUMER, attributes }, parentContext(parent));
      const carrier: Record<string, string> = {};
      propagation.inject(trace.setSpan(ROOT_CONTEXT, span), carrier);
      return {
        traceparent: carrier['traceparent'],
        end: (failure) => {
          if (failure !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
          span.end();
        },
      } satisfies Span;
    },
    within: (traceparent, action) =>
      traceparent === undefined ? action() : context.with(parentContext(traceparent), action),
    close: async () => {
      const late = new Promise<void>((go) => setTimeout(go, CLOSE_MS).unref());
      await Promise.race([provider.shutdown().catch(() => undefined), late]);
    },
  };
}

function parentContext(traceparent: string | undefined): Context {
  return traceparent === undefined ? ROOT_CONTEXT : propagation.extract(ROOT_CONTEXT, { traceparent });
}
