import type { Msg } from '@nats-io/nats-core';
import { encodeBody } from '../body.js';
import type { PublishAck } from '../bus.js';
import { Malformed, TimedOut } from '../errors.js';
import type { Link } from './link.js';
import { apiError, type ApiError } from './wire.js';

const API_TIMEOUT_MS = 5_000;
/** For what is asked again at once when no answer comes: a stream or consumer may be between two leaders. */
export const LOOK_TIMEOUT_MS = 1_000;
const NOTHING = new Uint8Array(0);

/** What Skerry reads of a stream's configuration; the rest is kept as it is. */
export interface StreamConfig extends Record<string, unknown> {
  name: string;
  max_age?: number;
  max_bytes?: number;
  max_msgs_per_subject?: number;
}
export interface StreamInfo {
  config: StreamConfig;
  created: string;
  state: { messages: number; bytes: number; first_seq: number; last_seq: number };
}
export interface ConsumerConfig extends Record<string, unknown> {
  filter_subjects?: string[];
}
export interface ConsumerInfo {
  config: ConsumerConfig;
  num_pending: number;
  delivered: { consumer_seq: number; stream_seq: number };
}

/** Requests to JetStream, with its refusals as errors. The answers' shapes are nats-server's own. */
export class JsApi {
  private readonly prefix: string;

  constructor(private readonly link: Link) {
    const { domain } = link.options;
    this.prefix = domain === undefined ? '$JS.API' : `$JS.${domain}.API`;
  }

  /** The full subject of a request. */
  subject(verb: string): string {
    return `${this.prefix}.${verb}`;
  }

  /** The stream, or undefined when there is none. */
  async stream(name: string, timeoutMs?: number): Promise<StreamInfo | undefined> {
    return await this.maybe<StreamInfo>(`STREAM.INFO.${name}`, timeoutMs);
  }

  async createStream(config: StreamConfig): Promise<void> {
    await this.call(`STREAM.CREATE.${config.name}`, config);
  }

  async updateStream(config: StreamConfig): Promise<void> {
    await this.call(`STREAM.UPDATE.${config.name}`, config);
  }

  async consumer(stream: string, name: string, timeoutMs?: number): Promise<ConsumerInfo | undefined> {
    return await this.maybe<ConsumerInfo>(`CONSUMER.INFO.${stream}.${name}`, timeoutMs);
  }

  /** Creates a consumer, or updates one that is there to this configuration. */
  async putConsumer(
    stream: string,
    name: string,
    config: ConsumerConfig,
    timeoutMs?: number,
  ): Promise<ConsumerInfo> {
    const request = { stream_name: stream, config, action: '' };
    return await this.call<ConsumerInfo>(`CONSUMER.CREATE.${stream}.${name}`, request, timeoutMs);
  }

  async deleteConsumer(stream: string, name: string): Promise<void> {
    await this.maybe(`CONSUMER.DELETE.${stream}.${name}`);
  }

  /**
   * A stored message by sequence or the newest of a subject, as it lies there; undefined when there is none. Each server with a
   * copy answers some of these questions, also one that has just died: so one that is not answered is asked again.
   */
  async message(stream: string, what: { sequence: number } | { subject: string }): Promise<Msg | undefined> {
    const verb = `DIRECT.GET.${stream}`;
    const [question, body] =
      'subject' in what ? [`${verb}.${what.subject}`, NOTHING] : [verb, encodeBody({ seq: what.sequence })];
    const m = await this.read(question, body);
    const code = m.headers?.code ?? 0;
    if (code === 404) return undefined;
    if (code === 0) return m;
    throw apiError(verb, { code, err_code: 0, description: m.headers?.description ?? 'refused' });
  }

  async call<T = unknown>(verb: string, body?: object, timeoutMs?: number): Promise<T> {
    const answer = await this.answer<T>(verb, body, timeoutMs);
    if (answer.error !== undefined) throw apiError(verb, answer.error);
    return answer;
  }

  /** As `call`, with undefined where what is asked about does not exist. */
  private async maybe<T = unknown>(verb: string, timeoutMs?: number): Promise<T | undefined> {
    const answer = await this.answer<T>(verb, undefined, timeoutMs);
    if (answer.error === undefined) return answer;
    if (answer.error.code === 404) return undefined;
    throw apiError(verb, answer.error);
  }

  private async answer<T>(
    verb: string,
    body: object | undefined,
    timeoutMs?: number,
  ): Promise<T & { error?: ApiError }> {
    const m = await this.send(verb, body === undefined ? NOTHING : encodeBody(body), timeoutMs);
    return parseAnswer<T & { error?: ApiError }>(m);
  }

  private async read(verb: string, body: Uint8Array): Promise<Msg> {
    const until = performance.now() + API_TIMEOUT_MS;
    for (;;) {
      const leftMs = Math.max(1, until - performance.now());
      try {
        const withinMs = this.link.connected ? Math.min(LOOK_TIMEOUT_MS, leftMs) : leftMs;
        return await this.send(verb, body, withinMs);
      } catch (error) {
        if (!(error instanceof TimedOut) || performance.now() >= until) throw error;
      }
    }
  }

  private send(verb: string, body: Uint8Array, timeoutMs = API_TIMEOUT_MS): Promise<Msg> {
    return this.link.ask(this.subject(verb), body, {}, timeoutMs);
  }
}

/** What the stream says of a message published to it; throws as `apiError`. */
export function publishAck(subject: string, m: Msg): PublishAck {
  const ack = parseAnswer<{ stream?: string; seq?: number; duplicate?: boolean; error?: ApiError }>(m);
  if (ack.error !== undefined) throw apiError(`publish to ${subject}`, ack.error);
  if (ack.stream === undefined || ack.seq === undefined) {
    throw new Malformed(`publish to ${subject}: the answer came from no stream`);
  }
  return { stream: ack.stream, sequence: ack.seq, duplicate: ack.duplicate ?? false };
}

/** The server's own answers are taken for what its api promises. */
function parseAnswer<T>(m: Msg): T {
  try {
    return m.json<T>();
  } catch (cause) {
    throw new Malformed('an answer of the server is not JSON', { cause });
  }
}
