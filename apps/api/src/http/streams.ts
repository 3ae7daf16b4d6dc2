import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { Refusal } from '@skerry/contracts';
import type { FastifyReply } from 'fastify';
import { toProblem } from './problems.js';

/** Streams that this instance serves at once. */
const MAX_STREAMS = 256;
/** Said into a quiet stream, so that both ends notice a dead connection. */
const ALIVE_MS = 10_000;
/** A reader that takes nothing for this long is let go. */
const STUCK_MS = 60_000;

/** Server-sent events to one reader. */
export class EventStream {
  private readonly gone = new AbortController();
  private alive: NodeJS.Timeout | undefined;

  constructor(private readonly reply: FastifyReply) {
    reply.raw.once('close', () => this.close());
    reply.raw.once('error', () => this.close());
  }

  /** True once it has begun: from then on errors are events, no answers. */
  get begun(): boolean {
    return this.alive !== undefined;
  }

  /** Answers 200 and begins. Done by the first `send`, or before when that may be long in coming. */
  begin(): void {
    if (this.begun || this.signal.aborted) return;
    const { raw } = this.reply;
    const headers = Object.entries(this.reply.getHeaders()).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value] as const],
    );
    this.reply.hijack();
    raw.writeHead(200, {
      ...Object.fromEntries(headers),
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    raw.write(': skerry\n\n');
    this.alive = setInterval(() => raw.writableNeedDrain || raw.write(': alive\n\n'), ALIVE_MS);
  }

  /** Aborted when the reader has gone or the service ends. */
  get signal(): AbortSignal {
    return this.gone.signal;
  }

  /** Sends one event; resolves when the connection takes more, so that a slow reader slows down its source. */
  async send(event: string, data: unknown, id?: number): Promise<void> {
    if (this.signal.aborted) return;
    this.begin();
    const position = id === undefined ? '' : `id: ${id}\n`;
    const free = this.reply.raw.write(`${position}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    if (!free) await this.drained();
  }

  /** Says that no more comes, and closes. */
  async end(): Promise<void> {
    await this.send('end', {});
    this.close();
  }

  close(): void {
    if (this.signal.aborted) return;
    clearInterval(this.alive);
    this.gone.abort();
    if (this.begun) this.reply.raw.end();
  }

  private drained(): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(stuck);
        this.reply.raw.off('drain', done);
        this.signal.removeEventListener('abort', done);
        resolve();
      };
      const stuck = setTimeout(() => this.reply.raw.destroy(), STUCK_MS);
      this.reply.raw.once('drain', done);
      this.signal.addEventListener('abort', done, { once: true });
    });
  }
}

/** The streams of this instance: bounded in number, closed when the service ends. */
@Injectable()
export class Streams implements OnModuleDestroy {
  private readonly open = new Set<EventStream>();
  private ending = false;

  /** Runs `source` with a new stream and ends it afterwards. Throws `throttled` when there are too many. */
  async serve(reply: FastifyReply, source: (stream: EventStream) => Promise<void>): Promise<void> {
    if (this.ending) throw new Refusal('unavailable', 'this instance is shutting down');
    if (this.open.size >= MAX_STREAMS) {
      throw new Refusal('throttled', `${MAX_STREAMS} streams are open already`, {
        hint: 'close some, or try again later',
      });
    }
    const stream = new EventStream(reply);
    this.open.add(stream);
    try {
      await source(stream);
      await stream.end();
    } catch (error) {
      if (!stream.begun) throw error;
      await stream.send('problem', toProblem(error));
    } finally {
      stream.close();
      this.open.delete(stream);
    }
  }

  onModuleDestroy(): void {
    this.ending = true;
    for (const stream of this.open) stream.close();
  }
}
