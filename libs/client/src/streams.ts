import {
  eventSchema,
  type LogGap,
  logGapSchema,
  type LogLine,
  logLineSchema,
  parse,
  type SkerryEvent,
  type Status,
  statusSchema,
} from '@skerry/contracts';
import type { z } from 'zod';
import { NotSkerry } from './errors.js';
import { eventStream } from './event-stream.js';
import type { Call, Transport } from './transport.js';

interface Watched {
  signal?: AbortSignal;
  /** Called when the stream broke and is opened again. */
  onBreak?: (reason: string) => void;
}

export type StatusChange = { kind: 'status'; status: Status } | { kind: 'caughtUp' };

/** The read model and its changes; after a reconnect everything comes again, which changes nothing for a fold by key. */
export async function* statusChanges(
  transport: Transport,
  options: Watched & { project?: string },
): AsyncGenerator<StatusChange> {
  const query = { project: options.project, watch: 1 };
  for await (const { event, data } of eventStream(transport, stream('v1/status', query, options), options)) {
    if (event === 'status') yield { kind: 'status', status: read(statusSchema, data) };
    else if (event === 'caught-up') yield { kind: 'caughtUp' };
  }
}

export interface LogOptions extends Watched {
  /** Newest lines to begin with. Default 100. */
  tail?: number;
  follow?: boolean;
  /** Only this site's. */
  site?: string;
}
export type LogItem = { kind: 'line'; line: LogLine } | { kind: 'gap'; gap: LogGap };

export async function* logsOf(
  transport: Transport,
  path: string,
  options: LogOptions,
): AsyncGenerator<LogItem> {
  const { tail, follow, site } = options;
  const call = stream(`${path}/logs`, { tail, follow, site }, options);
  // Lines written during the break are missed rather than shown twice.
  const again = { ...call, query: { ...call.query, tail: 0 } };
  const reconnect = follow === true;
  for await (const { event, data } of eventStream(transport, call, { ...options, again, reconnect })) {
    if (event === 'line') yield { kind: 'line', line: read(logLineSchema, data) };
    else if (event === 'gap') yield { kind: 'gap', gap: read(logGapSchema, data) };
  }
}

export interface EventOptions extends Watched {
  /** A type (`workload.placed`), a noun (`site`), or what it is about (`shop/web`, `eu-de`). Default all. */
  filter?: string;
  follow?: boolean;
  /** Newest events to begin with. Default 50, or 0 with `follow`. */
  tail?: number;
}

export async function* eventsOf(transport: Transport, options: EventOptions): AsyncGenerator<SkerryEvent> {
  const { filter, follow, tail } = options;
  const call = stream('v1/events', { filter, follow, tail }, options);
  for await (const { event, data } of eventStream(transport, call, {
    ...options,
    reconnect: follow === true,
  })) {
    if (event === 'event') yield read(eventSchema, data);
  }
}

function stream(path: string, query: NonNullable<Call['query']>, { signal }: Watched): Call {
  return { method: 'GET', path, query, ...(signal ? { signal } : {}) };
}

function read<T>(schema: z.ZodType<T>, data: unknown): T {
  const parsed = parse(schema, data);
  if (parsed.ok) return parsed.value;
  const [issue] = parsed.issues;
  throw new NotSkerry(
    `the stream said something unknown: ${issue ? `${issue.path} ${issue.problem}` : 'no reason'}`,
  );
}
