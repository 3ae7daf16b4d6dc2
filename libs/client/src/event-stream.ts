import { problemSchema } from '@skerry/contracts';
import type { EventSourceMessage } from 'eventsource-parser';
import { EventSourceParserStream } from 'eventsource-parser/stream';
import { ProblemError, Unreachable } from './errors.js';
import { linkedAbort } from './linked-abort.js';
import { type Call, pause, type Transport } from './transport.js';

/** One server-sent event, its data already read as JSON. */
export interface StreamEvent {
  event: string;
  /** Where to go on after a reconnect, when the stream has such positions. */
  id?: string;
  data: unknown;
}

export interface StreamOptions {
  /** Opens the stream again when it breaks: at most 5 times in a row without an event in between. Default true. */
  reconnect?: boolean;
  /** The call for a reconnect, where it differs from the first. */
  again?: Call;
  /** Called when the stream broke and is opened again. */
  onBreak?: (reason: string) => void;
}

/** api says something at least every 10 s; silence for this long means that the connection is dead. */
const SILENCE_MS = 35_000;
const MAX_BREAKS = 5;
const BREAK_PAUSE_MS = 1_000;

/**
 * Server-sent events in order until the api says `end`, the signal aborts (ends quietly) or no stream can be had
 * any more (throws `Unreachable` or `ProblemError`).
 */
export async function* eventStream(
  transport: Transport,
  call: Call,
  options: StreamOptions = {},
): AsyncGenerator<StreamEvent> {
  let lastId: string | undefined;
  let breaks = 0;
  for (let next = call; ; next = options.again ?? call) {
    try {
      for await (const event of once(transport, next, lastId)) {
        breaks = 0;
        lastId = event.id ?? lastId;
        if (event.event === 'end') return;
        if (event.event === 'problem') throw new ProblemError(problemSchema.parse(event.data));
        yield event;
      }
      throw new Unreachable(call.path, 'the stream ended');
    } catch (error) {
      if (call.signal?.aborted === true) return;
      const lasting = error instanceof ProblemError && error.problem.status < 500;
      breaks += 1;
      if (lasting || options.reconnect === false || breaks > MAX_BREAKS) throw error;
      options.onBreak?.(error instanceof Error ? error.message : String(error));
      await pause(BREAK_PAUSE_MS, call.signal);
    }
  }
}

/** The events of one connection. */
async function* once(
  transport: Transport,
  call: Call,
  lastId: string | undefined,
): AsyncGenerator<StreamEvent> {
  const link = linkedAbort(call.signal);
  const watch = setTimeout(() => link.abort(new Unreachable(call.path, 'silent')), SILENCE_MS);
  try {
    const from = lastId === undefined ? {} : { 'last-event-id': lastId };
    const headers = { accept: 'text/event-stream', ...from };
    const response = await transport.open({ ...call, headers, signal: link.signal });
    if (response.body === null) return;
    const alive = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        watch.refresh();
        controller.enqueue(chunk);
      },
    });
    const events = response.body
      .pipeThrough(alive)
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(new EventSourceParserStream());
    yield* read(events.getReader(), link.signal);
  } finally {
    clearTimeout(watch);
    link.abort();
    link.release();
  }
}

/** Ends when the signal aborts: by the reader, since a body that is being read does not always notice. */
async function* read(
  reader: ReadableStreamDefaultReader<EventSourceMessage>,
  signal: AbortSignal,
): AsyncGenerator<StreamEvent> {
  const stop = () => void reader.cancel().catch(() => undefined);
  signal.addEventListener('abort', stop, { once: true });
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const data: unknown = JSON.parse(value.data);
    yield { event: value.event ?? 'message', data, ...(value.id === undefined ? {} : { id: value.id }) };
  }
}
