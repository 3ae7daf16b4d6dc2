import { ERROR_STATUS, keysOf, parse, problemSchema, show } from '@skerry/contracts';
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

/** What is sent as it is. A stream can be sent once. */
export type Content = string | Uint8Array<ArrayBuffer> | Blob | ReadableStream<Uint8Array>;

export interface Call {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  /** Path below the base, with encoded parts. */
  path: string;
  query?: Record<string, string | number | boolean | undefined>;
  /** Sent as JSON. */
  body?: unknown;
  /** Sent as it is, in the place of `body`. */
  content?: Content;
  headers?: Record<string, string>;
  /** Sent as `Idempotency-Key`: the same id makes every further try safe. */
  requestId?: string;
  /** When it is tried again: `undone`: only where nothing can have been done. Default `always`. */
  again?: 'always' | 'undone' | 'never';
  /** In the place of the transport's. */
  timeoutMs?: number;
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
 * Requests to the api, or to an agent, over fetch. Calls are tried again unless they say otherwise: commands carry the same
 * `Idempotency-Key` each time, so that the outcome of the first is replayed. A refusal is thrown as `ProblemError`.
 */
export class Transport {
  constructor(private readonly options: TransportOptions) {}

  /** One call whose answer is parsed by `schema`. Throws `ProblemError`, `Unreachable` or `NotSkerry`. */
  async call<T>(call: Call, schema: z.ZodType<T>): Promise<Answer<T>> {
    const trace = this.options.trace ?? newTraceParent();
    const { text, headers } = await this.retried(call, trace);
    const value = parseJson(text, this.options.url);
    const parsed = parse(schema, value);
    if (!parsed.ok) throw strange(this.options.url, parsed.issues[0]);
    return { value: parsed.value, traceId: headers.get('x-trace-id') ?? trace.traceId };
  }

  /** One call of which the headers alone are of interest. */
  async headers(call: Call): Promise<Headers> {
    return (await this.retried(call, this.options.trace ?? newTraceParent())).headers;
  }

  /** Opens a stream; tried once. */
  async open(call: Call): Promise<Response> {
    const trace = this.options.trace ?? newTraceParent();
    // A stream lives as long as it is wanted: only its beginning is bounded.
    const response = await this.fetch(call, trace, async (begun) => begun);
    if (!response.ok) throw await problemOf(response, this.options.url, call);
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
      return await this.fetch(call, trace, async (response) => await this.judged(response, call));
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
      const { again = 'always' } = call;
      const mayAgain = again === 'always' || (again === 'undone' && error.unheard);
      return mayAgain ? { ok: false, error, waitMs: 0 } : { ok: false, error };
    }
  }

  private async judged(response: Response, call: Call): Promise<Tried> {
    const { headers } = response;
    if (response.ok) return { ok: true, received: { text: await bounded(response), headers } };
    const error = await problemOf(response, this.options.url, call);
    return RETRIED_STATUS[call.again ?? 'always'].has(response.status)
      ? { ok: false, error, waitMs: retryAfterMs(response) }
      : { ok: false, error };
  }

  /** Sends it, and answers what `take` makes of the response; both within the time for one try. */
  private async fetch<T>(
    call: Call,
    trace: TraceParent,
    take: (response: Response) => Promise<T>,
  ): Promise<T> {
    const { url, token } = this.options;
    const { timeoutMs = this.options.timeoutMs ?? 15_000 } = call;
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
          ...call.headers,
        },
        ...bodyOf(call),
        redirect: 'error',
        signal: limit.signal,
      });
      return await take(response);
    } catch (cause) {
      if (call.signal?.aborted === true || cause instanceof NotSkerry) throw cause;
      throw new Unreachable(url, reasonOf(cause), { cause, unheard: isRefused(cause) });
    } finally {
      clearTimeout(timer);
    }
  }
}

/** A whole answer that came in time. */
interface Received {
  text: string;
  headers: Headers;
}
type Tried = { ok: true; received: Received } | { ok: false; error: Error; waitMs?: number };

const RETRIED_STATUS = {
  always: new Set([429, 502, 503, 504]),
  // What answers so has done nothing.
  undone: new Set([429, 503]),
  never: new Set<number>(),
};

function bodyOf({ body, content }: Call): { body?: Content; duplex?: 'half' } {
  if (content instanceof ReadableStream) return { body: content, duplex: 'half' };
  if (content !== undefined) return { body: content };
  return body === undefined ? {} : { body: JSON.stringify(body) };
}

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

async function problemOf(response: Response, url: string, { method }: Call): Promise<Error> {
  const { status } = response;
  const text = await bounded(response).catch(() => '');
  try {
    const said: unknown = method === 'HEAD' ? wordless(status) : JSON.parse(text);
    // An agent of before leaves it to the status line.
    const parsed = problemSchema.safeParse(typeof said === 'object' ? { status, ...said } : said);
    if (parsed.success) return new ProblemError(parsed.data);
  } catch {
    // Not JSON: said below, with what came instead.
  }
  return new NotSkerry(
    `${url} answered ${status} with something that is no problem of a Skerry api: ${show(text)}`,
  );
}

/** What is known of a refusal that comes without a body. */
function wordless(status: number): object {
  const code = keysOf(ERROR_STATUS).find((name) => ERROR_STATUS[name] === status);
  return { code, title: `answered with ${status}` };
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
  if (isRefused(error)) return 'connection refused';
  const cause = fieldOf(error, 'cause');
  const said = [fieldOf(cause, 'message'), fieldOf(cause, 'code'), fieldOf(error, 'message'), error];
  return String(said.find((reason) => reason !== undefined && reason !== ''));
}

function isRefused(error: unknown): boolean {
  return fieldOf(fieldOf(error, 'cause'), 'code') === 'ECONNREFUSED';
}

/** Not by its class: an error may be of another realm. */
function fieldOf(error: unknown, name: 'cause' | 'code' | 'message'): unknown {
  return typeof error === 'object' && error !== null ? Reflect.get(error, name) : undefined;
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
