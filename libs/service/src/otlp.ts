import { context, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';

const FLUSH_MS = 2_000;

/**
 * Registers the OpenTelemetry SDK. Loaded only when tracing is on; what else OTEL_* variables say (headers, sampler) the SDK
 * reads by itself. The queue is modest: more than 2,048 spans waiting are dropped rather than kept in memory.
 */
export function startExport(options: {
  app: string;
  instance: string;
  endpoint: string;
}): () => Promise<void> {
  const { app, instance, endpoint } = options;
  const url = `${endpoint.replace(/\/$/, '')}/v1/traces`;
  const processor = new BatchSpanProcessor(new OTLPTraceExporter({ url, timeoutMillis: 5_000 }), {
    maxQueueSize: 2_048,
    maxExportBatchSize: 256,
    scheduledDelayMillis: 500,
    exportTimeoutMillis: 5_000,
  });
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ 'service.name': `skerry-${app}`, 'service.instance.id': instance }),
    spanProcessors: [processor],
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(provider);
  return () => flushed(provider);
}

async function flushed(provider: BasicTracerProvider): Promise<void> {
  // Shutdown rejects when too many batches wait or the receiver is gone: a service ends all the same.
  const ended = provider.shutdown().catch(() => undefined);
  const deadline = new Promise<void>((resolve) => setTimeout(resolve, FLUSH_MS).unref());
  await Promise.race([ended, deadline]);
}
