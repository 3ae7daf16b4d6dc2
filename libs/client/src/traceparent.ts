import { context, propagation } from '@opentelemetry/api';

/** The ids of a trace as they travel: W3C `traceparent`, version 00, sampled. */
export interface TraceParent {
  /** 32 hexadecimal digits. */
  traceId: string;
  /** `00-<trace id>-<span id>-01`. */
  header: string;
}

/** A trace begun here, with random ids: what names a request's trace when no SDK makes spans in this process. */
export function newTraceParent(): TraceParent {
  const traceId = randomHex(16);
  return { traceId, header: `00-${traceId}-${randomHex(8)}-01` };
}

/** The active span's `traceparent` when an SDK runs in this process, else `fallback`. */
export function traceHeader(fallback: TraceParent): string {
  const carrier: Record<string, string> = {};
  propagation.inject(context.active(), carrier);
  return carrier['traceparent'] ?? fallback.header;
}

function randomHex(bytes: number): string {
  const random = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
