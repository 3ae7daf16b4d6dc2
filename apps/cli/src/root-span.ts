import { newTraceParent, type TraceParent } from '@skerry/client';

/** The span of one run of the CLI: every request is below it. */
export interface RootSpan extends TraceParent {
  /** Exports it where `OTEL_EXPORTER_OTLP_ENDPOINT` says, within 2 s; never fails. */
  end(ok: boolean): Promise<void>;
}

const EXPORT_MS = 2_000;
const MS_TO_NS = 1_000_000n;

/**
 * Begins the trace of this run. The ids are made here, so that the printed trace id is right with or without a
 * receiver. One span needs no SDK: it is sent as OTLP/HTTP JSON.
 */
export function beginRootSpan(name: string, env: NodeJS.ProcessEnv): RootSpan {
  const trace = newTraceParent();
  const beganMs = Date.now();
  return {
    ...trace,
    end: async (ok) => {
      const endpoint = env['OTEL_EXPORTER_OTLP_ENDPOINT'];
      if (!endpoint) return;
      const body = JSON.stringify(exportRequest({ trace, name, beganMs, endedMs: Date.now(), ok }));
      const url = `${endpoint.replace(/\/$/, '')}/v1/traces`;
      const headers = { 'content-type': 'application/json' };
      const limit = new AbortController();
      const timer = setTimeout(() => limit.abort(), EXPORT_MS);
      await fetch(url, { method: 'POST', headers, body, signal: limit.signal }).catch(() => undefined);
      clearTimeout(timer);
    },
  };
}

interface Ended {
  trace: TraceParent;
  name: string;
  beganMs: number;
  endedMs: number;
  ok: boolean;
}

/** `ExportTraceServiceRequest` in its JSON form: ids in hexadecimal, times in nanoseconds as text, enums as numbers. */
function exportRequest({ trace, name, beganMs, endedMs, ok }: Ended): object {
  const CLIENT = 3;
  const [OK, ERROR] = [1, 2];
  const span = {
    traceId: trace.traceId,
    spanId: trace.header.split('-')[2],
    name,
    kind: CLIENT,
    startTimeUnixNano: String(BigInt(beganMs) * MS_TO_NS),
    endTimeUnixNano: String(BigInt(endedMs) * MS_TO_NS),
    attributes: [],
    status: { code: ok ? OK : ERROR },
  };
  const attributes = [{ key: 'service.name', value: { stringValue: 'skerry-cli' } }];
  return {
    resourceSpans: [{ resource: { attributes }, scopeSpans: [{ scope: { name: 'skerry' }, spans: [span] }] }],
  };
}
