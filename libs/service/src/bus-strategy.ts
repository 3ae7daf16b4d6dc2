import { Server, type CustomTransportStrategy, type MessageHandler } from '@nestjs/microservices';
import {
  done,
  reject,
  Malformed,
  type Body,
  type Bus,
  type Following,
  type Headers,
  type Message,
  type Outcome,
  type StoredMessage,
  type Subscription,
} from '@skerry/bus';
import { bucketStream, parseStored } from '@skerry/contracts';
import { isObservable, lastValueFrom } from 'rxjs';
import { BusContext, type PlainMessage } from './bus-context.js';
import { ON_BUS, type Heard } from './decorators.js';
import type { Readiness } from './readiness.js';
import { routeOf, titleOf, type Route } from './routes.js';
import { consumed } from './tracing.js';

type HeardAs<K extends Heard['kind']> = Extract<Heard, { kind: K }>;

/**
 * Nest's transport over the bus: what controllers hear becomes durable consumptions, follows, request answerers and
 * listeners. Nothing is handled before all that is followed has caught up. `close` first ends what brings new work, and
 * lets running handlers finish, so that nothing is redelivered for it.
 */
export class BusStrategy extends Server implements CustomTransportStrategy {
  override readonly transportId = ON_BUS;
  override readonly propagatesEventHandlerErrors = true;
  private readonly routes: Route[] = [];
  private readonly followings: { stream: string; following: Following }[] = [];
  private readonly intake: Subscription[] = [];

  constructor(
    private readonly app: string,
    private readonly bus: Bus,
    private readonly readiness: Readiness,
  ) {
    super();
  }

  // Nest's own keeps one handler a pattern and chains the rest; here every method is a route of its own.
  override addHandler(
    pattern: unknown,
    callback: MessageHandler,
    isEventHandler = false,
    extras: Record<string, unknown> = {},
  ): void {
    callback.isEventHandler = isEventHandler;
    callback.extras = extras;
    this.routes.push(routeOf(String(pattern), callback, this.app));
  }

  async listen(callback: (error?: unknown) => void): Promise<void> {
    try {
      refuseSharedDurables(this.routes, this.app);
      for (const route of this.routes) await this.follow(route);
      await Promise.all(this.followings.map(({ following }) => following.caughtUp));
      for (const route of this.routes) await this.take(route);
      callback();
    } catch (error) {
      callback(error);
    }
  }

  /** Resolves when all that lies by now in what is followed was handled. Fails with `TimedOut` when that takes longer. */
  async upToNow(withinMs: number): Promise<void> {
    await Promise.all(
      this.followings.map(async ({ stream, following }) => {
        const state = await this.bus.streamState(stream);
        if (state !== undefined) await following.reached(state.lastSequence, withinMs);
      }),
    );
  }

  private async follow(route: Route): Promise<void> {
    const { heard } = route;
    if (heard.kind !== 'followed' && heard.kind !== 'change') return;
    const passed = this.gateFor(heard);
    const handle = async (item: unknown) => {
      await call(route, item);
    };
    if (heard.kind === 'followed') {
      const options = { ...heard.options, onCaughtUp: passed };
      const { stream } = heard;
      this.followings.push({ stream, following: await this.bus.follow(stream, handle, options) });
      return;
    }
    const bucket = this.bus.bucket(heard.bucket, parserOf(heard.bucket.name, heard.schema));
    const following = await bucket.follow(handle, { ...heard.options, onCaughtUp: passed });
    this.followings.push({ stream: bucketStream(heard.bucket.name), following });
  }

  private gateFor(heard: Heard): () => void {
    let caughtUp = false;
    this.readiness.gate(() => (caughtUp ? undefined : `catching up with ${titleOf(heard)}`));
    return () => {
      caughtUp = true;
    };
  }

  private async take(route: Route): Promise<void> {
    const { heard } = route;
    switch (heard.kind) {
      case 'followed':
      case 'change':
        return;
      case 'stored':
        this.intake.push(await this.consume(route, heard));
        return;
      case 'request':
        this.intake.push(this.respond(route, heard));
        return;
      case 'plain':
        this.intake.push(this.hear(route, heard));
        return;
      default:
        heard satisfies never;
    }
  }

  private consume(route: Route, heard: HeardAs<'stored'>): Promise<Subscription> {
    const options = { durable: this.app, ...heard.options, stream: heard.stream, app: this.app };
    return this.bus.consume(options, (message) => this.handle(route, message));
  }

  /** Handles one stored message as `consume` would; also what handles a dead letter again. */
  private async handle(route: Route, message: StoredMessage): Promise<Outcome> {
    try {
      const answer = await consumed(titleOf(route.heard), message, () => call(route, message));
      return outcomeOf(answer);
    } catch (error) {
      // No retry can mend a body that is not what it should be.
      if (error instanceof Malformed) return reject(error.message);
      throw error;
    }
  }

  private respond(route: Route, heard: HeardAs<'request'>): Subscription {
    const queue = queueOf(heard.options.queue ?? 'app', this.app);
    const handler = async (message: Message) =>
      bodyOf(await consumed(heard.subject, message, () => call(route, message)));
    return this.bus.respond(heard.subject, handler, queue);
  }

  private hear(route: Route, heard: HeardAs<'plain'>): Subscription {
    const queue = queueOf(heard.options.queue ?? 'none', this.app);
    const handler = (message: PlainMessage) => {
      // Plain messages may be lost, so a handler that fails costs a line in the log and nothing else.
      call(route, message).catch((error: unknown) =>
        this.logger.error(`handling ${heard.subject} failed`, error),
      );
    };
    return this.bus.listen(heard.subject, handler, queue);
  }

  /** The route of a durable of this app, to handle a dead letter of it again. */
  handlerOf(stream: string, durable: string): ((message: StoredMessage) => Promise<Outcome>) | undefined {
    const route = this.routes.find((r) => durableOf(r.heard, this.app) === `${stream} ${durable}`);
    return route && ((message) => this.handle(route, message));
  }

  /** Takes nothing new; resolves when running handlers have finished. */
  async stopTaking(): Promise<void> {
    await Promise.all(this.intake.splice(0).map((s) => s.drain()));
  }

  async close(): Promise<void> {
    await this.stopTaking();
    await Promise.all(this.followings.splice(0).map(({ following }) => following.drain()));
  }

  override on(): never {
    throw new Error('the bus strategy has no events of its own');
  }

  override unwrap<T>(): T {
    throw new Error('inject BUS instead');
  }
}

async function call({ handler, payloadOf }: Route, item: unknown): Promise<unknown> {
  const answer: unknown = await handler(payloadOf(item), new BusContext([item]));
  return isObservable(answer) ? await lastValueFrom(answer, { defaultValue: undefined }) : answer;
}

function outcomeOf(answer: unknown): Outcome {
  if (answer === undefined || answer === null) return done;
  if (isOutcome(answer)) return answer;
  throw new Error('a handler of stored messages answers done, retry or reject');
}

function isOutcome(answer: unknown): answer is Outcome {
  if (typeof answer !== 'object' || answer === null || !('kind' in answer)) return false;
  return answer.kind === 'done' || answer.kind === 'retry' || answer.kind === 'reject';
}

function bodyOf(answer: unknown): Body {
  return typeof answer === 'object' && answer !== null ? answer : {};
}

function queueOf(queue: string, app: string): { queue?: string } {
  if (queue === 'none') return {};
  return { queue: queue === 'app' ? app : queue };
}

function parserOf(bucket: string, schema: Extract<Heard, { kind: 'change' }>['schema']) {
  return (value: unknown, headers: Headers): unknown => {
    const result = parseStored(schema, value, headers);
    if (result.ok) return result.value;
    const { path, problem } = result.issues[0] ?? { path: '', problem: 'not allowed' };
    throw new Malformed(`value in ${bucket}: ${path} ${problem}`);
  };
}

function durableOf(heard: Heard, app: string): string | undefined {
  return heard.kind === 'stored' ? `${heard.stream} ${heard.options.durable ?? app}` : undefined;
}

/** Two methods on one durable would steal each other's messages. */
function refuseSharedDurables(routes: readonly Route[], app: string): void {
  const seen = new Set<string>();
  for (const { heard } of routes) {
    const durable = durableOf(heard, app);
    if (durable === undefined) continue;
    if (seen.has(durable)) throw new Error(`${app}: two handlers share the durable "${durable}"`);
    seen.add(durable);
  }
}
