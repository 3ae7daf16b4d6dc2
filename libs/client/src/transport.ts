import { parse, problemSchema, show } from '@skerry/contracts';
import type { z } from 'zod';
import { NotSkerry, ProblemError, Unreachable } from './errors.js';
import { linkedAbort } from './linked-abort.js';
import { newTraceParent, traceHeader, type TraceParent } from './traceparent.js';

export interface TransportOptions {
  /** Base address, `http://127.0.0.1:7420`. */
  url: string;
  /** Bearer token; a secret. */
  token: string;
  /** Time for one try, ms. Default 15,000: longer than api itself waits for an outcome. */
  timeoutMs?: number;
  /** Tries in all, where trying again is safe. Default 4. */
  tries?: number;
  /** The trace that requests belong to when no span is active. Default: a new one for each request. */
  trace?: TraceParent;
  /** Called before each further try, so that a person can be told. */
  onRetry?: (reason: string, tries: number) => void;
}

export interface Call {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Path below the base, with encoded parts. */
  path: string;
  query?: Record<string, string | number | boolean | undefined>;
  /** Sent as JSON. */
  body?: unknown;
  /** Sent as `Idempotency-Key`: the same id makes every further try safe. */
  requestId?: string;
  signal?: AbortSignal;
}

export interface Answer<T> {
  value: T;
  /** The trace at the api. */
  traceId: string;
}

const BACKOFF_MS = [200, 600, 1_500];
/** Longest wait that `Retry-After` can ask for, ms. */
const MAX_RETRY_AFTER_MS = 10_000;
/** Bytes of an answer that are read. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/**
 * Requests to the api over fetch. Every call may be tried again: commands carry the same `Idempotency-Key` each
 * time, so that the outcome of the first is replayed. A refusal is thrown as `ProblemError`.
 */
export class Transport {
  constructor(private readonly options: TransportOptions) {}

  /** One call whose answer is parsed by `schema`. Throws `ProblemError`, `Unreachable` or `NotSkerry`. */
  async call<T>(call: Call, schema: z.ZodType<T>): Promise<Answer<T>> {
    const trace = this.options.trace ?? newTraceParent();
    const { text, traceId } = await this.retried(call, trace);
    const value = parseJson(text, this.options.url);
    const parsed = parse(schema, value);
    if (!parsed.ok) throw strange(this.options.url, parsed.issues[0]);
    return { value: parsed.value, traceId: traceId ?? trace.traceId };
  }

  /** Opens a stream of server-sent events; tried once. `lastEventId` says where to go on. */
  async open(call: Call, lastEventId?: string): Promise<Response> {
    const trace = this.options.trace ?? newTraceParent();
    const extra: Record<string, string> = { accept: 'text/event-stream' };
    if (lastEventId !== undefined) extra['last-event-id'] = lastEventId;
    // A stream lives as long as it is wanted: only its beginning is bounded.
    const response = await this.fetch(call, trace, extra, async (begun) => begun);
    if (!response.ok) throw await problemOf(response, this.options.url);
    return response;
  }

  private async retried(call: Call, trace: TraceParent): Promise<Received> {
    const tries = this.options.tries ?? BACKOFF_MS.length + 1;
    for (let done = 1; ; done += 1) {
      const tried = await this.attempt(call, trace);
      if (tried.ok) return tried.received;
      if (tried.waitMs === undefined || done >= tries || call.signal?.aborted === true) throw tried.error;
      this.options.onRetry?.(tried.error.message, done);
      const backoffMs = BACKOFF_MS[Math.min(done, BACKOFF_MS.length) - 1] ?? 0;
      await pause(Math.max(tried.waitMs, backoffMs), call.signal);
    }
  }

  /** One try; `waitMs` is there when another makes sense. */
  private async attempt(call: Call, trace: TraceParent): Promise<Tried> {
    try {
      return await this.fetch(call, trace, {}, async (response) => await this.judged(response));
    } catch (error) {
      if (error instanceof Unreachable) return { ok: false, error, waitMs: 0 };
      throw error;
    }
  }

  private async judged(response: Response): Promise<Tried> {
    if (response.ok) {
      const traceId = response.headers.get('x-trace-id') ?? undefined;
      return { ok: true, received: { text: await bounded(response), traceId } };
    }
    const error = await problemOf(response, this.options.url);
    return RETRIED_STATUS.has(response.status)
      ? { ok: false, error, waitMs: retryAfterMs(response) }
      : { ok: false, error };
  }

  /** Sends it, and answers what `take` makes of the response; both within the time for one try. */
  private async fetch<T>(
    call: Call,
    trace: TraceParent,
    extra: Record<string, string>,
    take: (response: Response) => Promise<T>,
  ): Promise<T> {
    const { url, token, timeoutMs = 15_000 } = this.options;
    const limit = linkedAbort(call.signal);
    const timer = setTimeout(() => limit.abort(new Error(`nothing within ${timeoutMs} ms`)), timeoutMs);
    try {
      const response = await fetch(target(url, call), {
        method: call.method,
        headers: {
          authorization: `Bearer ${token}`,
          accept: 'application/json',
          traceparent: traceHeader(trace),
          ...(call.requestId === undefined ? {} : { 'idempotency-key': call.requestId }),
          ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
          ...extra,
        },
        ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
        redirect: 'error',
        signal: limit.signal,
      });
      return await take(response);
    } catch (cause) {
      if (call.signal?.aborted === true || cause instanceof NotSkerry) throw cause;
      throw new Unreachable(url, reasonOf(cause), { cause });
    } finally {
      clearTimeout(timer);
    }
  }
}

/** A whole answer that came in time. */
interface Received {
  text: string;
  traceId: string | undefined;
}
type Tried = { ok: true; received: Received } | { ok: false; error: Error; waitMs?: number };

const RETRIED_STATUS = new Set([429, 502, 503, 504]);

function target(base: string, call: Call): string {
  const url = new URL(call.path, base.endsWith('/') ? base : `${base}/`);
  for (const [name, value] of Object.entries(call.query ?? {})) {
    if (value !== undefined && value !== false) url.searchParams.set(name, String(value));
  }
  return url.href;
}

function retryAfterMs(response: Response): number {
  const seconds = Number(response.headers.get('retry-after') ?? 0);
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0) * 1_000, MAX_RETRY_AFTER_MS) : 0;
}

async function problemOf(response: Response, url: string): Promise<Error> {
  const text = await bounded(response).catch(() => '');
  try {
    const parsed = problemSchema.safeParse(JSON.parse(text));
    if (parsed.success) return new ProblemError(parsed.data);
  } catch {
    // Not JSON: said below, with what came instead.
  }
  return new NotSkerry(
    `${url} answered ${response.status} with something that is no problem of a Skerry api: ${show(text)}`,
  );
}

function parseJson(text: string, url: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new NotSkerry(`${url} answered with something that is no JSON: ${show(text)}`, { cause });
  }
}

function strange(url: string, issue: { path: string; problem: string } | undefined): NotSkerry {
  const what = issue ? ` (${issue.path}: ${issue.problem})` : '';
  return new NotSkerry(
    `${url} answered in a shape this version does not know${what}: are both of one version?`,
  );
}

async function bounded(response: Response): Promise<string> {
  if (Number(response.headers.get('content-length') ?? 0) > MAX_ANSWER_BYTES) {
    await response.body?.cancel();
    throw new NotSkerry(`an answer of more than ${MAX_ANSWER_BYTES} bytes`);
  }
  return response.text();
}

/** fetch says "fetch failed" and hides why in its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined;
  return code === 'ECONNREFUSED' ? 'connection refused' : cause.message || (code ?? error.message);
}

/** Waits, or less when the signal aborts. */
export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(end, ms);
    signal?.addEventListener('abort', end, { once: true });
    function end(): void {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    }
  });
}
