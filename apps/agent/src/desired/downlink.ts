import type { Bus, Following, StoredMessage } from '@skerry/bus';
import {
  desiredSchema,
  HEADERS,
  JETSTREAM_API,
  laterKind,
  parseAcross,
  SITE_STREAMS,
  SOURCE_HEADER,
  sourceSequence,
  desiredStream,
  type Desired,
} from '@skerry/contracts';
import { reason, type Log } from '../log.js';

/** Code of nats-server for a stream that is there with another configuration. */
const NAME_IN_USE = 10058;

/** Takes an object that came down; the trace is that of the change that made it. */
export type TakeObject = (object: Desired, traceparent: string | undefined) => Promise<void>;

/** The site's stream of desired objects: makes it, and follows it from this agent's start on. */
export class Downlink {
  private following: Following | undefined;
  private newest = 0;

  constructor(
    private readonly bus: Bus,
    private readonly options: {
      account: string;
      replicas: number;
      take: TakeObject;
      /** One could not be kept, and does not come again by itself. */
      onLost: () => void;
      log: Log;
    },
  ) {}

  /** Sequence in the hub's `DL` of the newest message that came through; 0 for none. */
  get lastSequence(): number {
    return this.newest;
  }

  /** Whether the site's stream is there. */
  async exists(): Promise<boolean> {
    const answer = await this.bus.request(JETSTREAM_API.streamInfo(SITE_STREAMS.DESIRED), {});
    return !hasError(answer.json());
  }

  /** Makes the stream. Only of use when the hub's durable for this site exists: a source that finds none waits long. */
  async create(): Promise<void> {
    const config = desiredStream(this.options.account, this.options.replicas);
    const answer = await this.bus.request(JETSTREAM_API.streamCreate(SITE_STREAMS.DESIRED), config);
    const body = answer.json();
    if (hasError(body) && body.error.err_code !== NAME_IN_USE) {
      throw new Error(`make the stream ${SITE_STREAMS.DESIRED}: ${body.error.description}`);
    }
  }

  /** Hears everything that lies in the stream, then everything that comes. */
  async follow(): Promise<void> {
    this.following = await this.bus.follow(SITE_STREAMS.DESIRED, (m) => this.hear(m), { from: 'last' });
  }

  /** Forgets what the site's server holds of an object long gone. */
  async purge(subject: string): Promise<void> {
    await this.bus.purge(SITE_STREAMS.DESIRED, subject);
  }

  async close(): Promise<void> {
    await this.following?.drain();
  }

  private hear(m: StoredMessage): void {
    this.newest = sourceSequence(m.headers[SOURCE_HEADER]) ?? this.newest;
    const parsed = parseObject(m);
    if (!parsed.ok && parsed.later !== undefined) {
      this.options.log.info('a desired object of a later version is passed over', { kind: parsed.later });
      return;
    }
    if (!parsed.ok) {
      this.options.log.error('a desired object cannot be read', {
        alarm: 'desired-malformed',
        subject: m.subject,
        reason: parsed.reason,
      });
      return;
    }
    // Not awaited: many are written to the disk at once; each key's own order is the store's to keep.
    this.options.take(parsed.value, m.headers[HEADERS.traceparent]).catch((error: unknown) => {
      this.options.log.error('a desired object was not taken', { subject: m.subject, reason: reason(error) });
      this.options.onLost();
    });
  }
}

function parseObject(
  m: StoredMessage,
): { ok: true; value: Desired } | { ok: false; reason?: string; later?: string } {
  try {
    const body = m.json();
    const parsed = parseAcross(desiredSchema, body);
    if (parsed.ok) return parsed;
    const later = laterKind(body);
    if (later !== undefined) return { ok: false, later };
    return { ok: false, reason: `${parsed.issues[0]?.path}: ${parsed.issues[0]?.problem}` };
  } catch (error) {
    return { ok: false, reason: reason(error) };
  }
}

function hasError(body: unknown): body is { error: { err_code: number; description: string } } {
  return typeof body === 'object' && body !== null && 'error' in body;
}
