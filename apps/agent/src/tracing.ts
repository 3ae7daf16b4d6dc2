/** One span under way. */
export interface Span {
  /** W3C form, for what this span starts in turn; undefined while nothing is traced. */
  readonly traceparent: string | undefined;
  /** Ends it; with a text, as failed. */
  end(failure?: string): void;
}

/** Makes spans, where traces are wanted at all. */
export interface Tracing {
  /** Starts a span below `parent` (a W3C traceparent). */
  start(name: string, parent: string | undefined, attributes: Record<string, string | number>): Span;
  /** Runs `action` so that what it sends carries this trace on. */
  within<T>(traceparent: string | undefined, action: () => T): T;
  /** Sends what was collected; at most 2 s. */
  close(): Promise<void>;
}

const NO_SPAN: Span = { traceparent: undefined, end: () => undefined };
/** Costs nothing: no trace is wanted. */
export const NO_TRACING: Tracing = {
  start: () => NO_SPAN,
  within: (_traceparent, action) => action(),
  close: () => Promise.resolve(),
};

/** Traces to `OTEL_EXPORTER_OTLP_ENDPOINT`, where it is set. OpenTelemetry is loaded only then: it would double an idle agent. */
export async function makeTracing(instance: string): Promise<Tracing> {
  if ((process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] ?? '') === '') return NO_TRACING;
  const { otelTracing } = await import('./otel-tracing.js');
  return otelTracing(instance);
}
