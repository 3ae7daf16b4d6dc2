import 'reflect-metadata';
import { Controller, Get, Inject, Injectable, Module, Res } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import {
  connectBus,
  done,
  reject,
  retry,
  type Bus,
  type Message,
  type Outcome,
  type StoredMessage,
} from '@skerry/bus';
import { HEADERS, Refusal, RPC, STREAMS } from '@skerry/contracts';
import { freePorts } from '@skerry/local';
import {
  BASE_VARIABLES,
  BUS,
  BusContext,
  JsonLog,
  OnFollowed,
  OnPlain,
  OnRequest,
  OnStored,
  parseConfig,
  Roles,
  startService,
  type PlainMessage,
  type RunningService,
} from '@skerry/service';
import type { FastifyReply } from 'fastify';
import { startPlainServer, until, type PlainServer } from './plain-server.js';

/** What the controller under test has seen; one per service started. */
@Injectable()
class Seen {
  readonly handled: string[] = [];
  readonly deliveries: number[] = [];
  readonly ordinary: unknown[] = [];
  readonly plain: string[] = [];
  readonly followed: string[] = [];
  running = 0;
  release: () => void = () => undefined;
  readonly gate = new Promise<void>((resolve) => {
    this.release = resolve;
  });
}

@Controller()
class TrialController {
  constructor(@Inject(Seen) private readonly seen: Seen) {}

  @OnStored('CMD', { durable: 'trial', filters: ['skerry.cmd.trial.>'], maxDeliveries: 3, backoffMs: [10] })
  async command(message: StoredMessage): Promise<Outcome> {
    const body = message.json();
    const { what } = Object(body);
    this.seen.deliveries.push(message.deliveries);
    if (what === 'poison') return reject('cannot be handled');
    if (what === 'later' && message.deliveries === 1) return retry({ afterMs: 10 });
    if (what === 'bug') throw new Error('a bug');
    if (what === 'slow') {
      this.seen.running += 1;
      await this.seen.gate;
      this.seen.running -= 1;
    }
    this.seen.handled.push(String(what));
    return done;
  }

  @EventPattern<string>('skerry.cmd.ordinary.>')
  ordinary(@Payload() body: unknown, @Ctx() context: BusContext): void {
    this.seen.ordinary.push([body, context.heard instanceof Object]);
  }

  @MessagePattern('skerry.rpc.trial.sum')
  sum(@Payload() numbers: number[]): { sum: number } {
    return { sum: numbers.reduce((a, b) => a + b, 0) };
  }

  @OnRequest('skerry.rpc.trial.refuse')
  refuse(message: Message): object {
    throw new Refusal('not-found', `no ${message.subject.split('.').at(-1)}`, { hint: 'look elsewhere' });
  }

  @OnPlain('skerry.live.trial')
  plain(message: PlainMessage): void {
    this.seen.plain.push(message.subject);
  }

  @OnFollowed('EVT', { filters: ['skerry.evt.trial.>'] })
  event(message: StoredMessage): void {
    this.seen.followed.push(message.subject);
  }
}

@Module({ controllers: [TrialController], providers: [Seen] })
class TrialModule {}

const lines: string[] = [];
const log = new JsonLog('trial', 'test', 'debug', (line) => lines.push(line));
let server: PlainServer;
let bus: Bus;
const started: RunningService[] = [];

async function start(instance: string): Promise<RunningService & { seen: Seen }> {
  const config = parseConfig(BASE_VARIABLES, { SKERRY_NATS_URL: server.url, SKERRY_INSTANCE: instance });
  if (!config.ok) throw new Error(JSON.stringify(config.problems));
  const definition = { name: 'trial', variables: {}, module: TrialModule };
  const service = await startService(definition, config.value, { log });
  started.push(service);
  return { ...service, seen: service.app.get(Seen) };
}

const say = (what: string, name = what) => bus.publish(`skerry.cmd.trial.x.p.${name}`, { what });

beforeAll(async () => {
  server = await startPlainServer();
  bus = await connectBus({ servers: [server.url], name: 'test' });
  for (const stream of [STREAMS.CMD, STREAMS.EVT, STREAMS.DEAD]) await bus.ensureStream(stream);
});
afterAll(async () => {
  await bus.close();
  await server.stop();
});
beforeEach(() => lines.splice(0));
afterEach(async () => {
  await Promise.all(started.splice(0).map((service) => service.stop()));
  for (const stream of [STREAMS.CMD, STREAMS.EVT, STREAMS.DEAD])
    for (const subject of stream.subjects) await bus.purge(stream.name, subject);
});

describe('a service on the chassis', () => {
  test('hears durable subjects, requests and plain messages by its decorators', async () => {
    await bus.publish('skerry.evt.trial.before.p.n', {});
    const { seen } = await start('one');
    expect(seen.followed).toEqual(['skerry.evt.trial.before.p.n']);
    await say('first');
    await bus.publish('skerry.cmd.ordinary.x.p.n', { of: 'the ordinary kind' });
    bus.say('skerry.live.trial', {});
    await until(
      () => seen.handled.includes('first') && seen.ordinary.length === 1 && seen.plain.length === 1,
      'all heard',
    );
    expect(seen.ordinary).toEqual([[{ of: 'the ordinary kind' }, true]]);
    const sum = await bus.request('skerry.rpc.trial.sum', [1, 2, 3]);
    expect(sum.json()).toEqual({ sum: 6 });
    await expect(bus.request('skerry.rpc.trial.refuse', {})).rejects.toMatchObject({
      code: 'not-found',
      details: { hint: 'look elsewhere' },
    });
  });

  test('retries what asks for it and what throws, and dead-letters what cannot be handled, with its reason', async () => {
    const { seen } = await start('one');
    await say('later');
    await until(() => seen.handled.includes('later'), 'retried');
    await say('poison');
    await say('bug');
    await bus.publish('skerry.cmd.trial.x.p.garbage', new TextEncoder().encode('{not json'));
    const dead = await until(async () => {
      const state = await bus.streamState('DEAD');
      return state?.messages === 3 && state;
    }, 'three dead letters');
    const letters = await Promise.all([0, 1, 2].map((at) => bus.message('DEAD', dead.firstSequence + at)));
    const reasons = Object.fromEntries(
      letters.map((l) => [l?.headers[HEADERS.deadSubject], l?.headers[HEADERS.deadReason]]),
    );
    expect(reasons).toMatchObject({
      'skerry.cmd.trial.x.p.poison': 'cannot be handled',
      'skerry.cmd.trial.x.p.bug': expect.stringContaining('a bug'),
      'skerry.cmd.trial.x.p.garbage': expect.stringContaining('not JSON'),
    });
    expect((await bus.streamState('CMD'))?.messages).toBe(0);
  });

  test('handles a dead letter again when asked, and drops it only when that is done', async () => {
    const { seen } = await start('one');
    await say('bug');
    await say('poison');
    const ids = await until(async () => {
      const state = await bus.streamState('DEAD');
      return state?.messages === 2 && [state.firstSequence, state.lastSequence];
    }, 'two dead letters');
    const [first] = ids;
    const again = await bus.request(RPC.redeliver('trial'), { id: first });
    expect(again.json()).toMatchObject({ result: 'reject' });
    expect((await bus.streamState('DEAD'))?.messages).toBe(2);
    const fixed = await bus.message('DEAD', first ?? 0);
    const headers = { ...fixed?.headers };
    for (const name of Object.keys(headers)) if (name.startsWith('Nats-')) delete headers[name];
    const ack = await bus.publish('skerry.dlq.trial.CMD', { what: 'mended' }, { headers });
    expect((await bus.request(RPC.redeliver('trial'), { id: ack.sequence })).json()).toEqual({
      result: 'done',
    });
    expect(seen.handled).toContain('mended');
    await expect(bus.request(RPC.redeliver('trial'), { id: ack.sequence })).rejects.toMatchObject({
      code: 'not-found',
    });
  });

  test('drains: running handlers finish, and nothing is redelivered for it', async () => {
    const one = await start('one');
    for (let n = 0; n < 20; n += 1) await say('slow', `slow-${n}`);
    await until(() => one.seen.running === 20, 'all run');
    const stopped = one.stop();
    expect(one.readiness.report()).toMatchObject({ ready: false, reasons: ['draining'] });
    const two = await start('two');
    one.seen.release();
    await stopped;
    expect(one.seen.handled).toHaveLength(20);
    await until(async () => (await bus.streamState('CMD'))?.messages === 0, 'all acknowledged');
    expect(two.seen.deliveries).toEqual([]);
    expect(one.seen.deliveries.every((n) => n === 1)).toBe(true);
  });

  test('says on its health port whether it lives and whether it is ready, and why not', async () => {
    const one = await start('one');
    const at = `http://127.0.0.1:${one.healthPort}`;
    expect((await fetch(`${at}/healthz`)).status).toBe(200);
    const ready = await fetch(`${at}/readyz`);
    expect(ready.status).toBe(200);
    expect(await ready.json()).toMatchObject({ ready: true, service: 'trial', instance: 'one', reasons: [] });
    const take = one.readiness.gate(() => 'for a test');
    const not = await fetch(`${at}/readyz`);
    expect(not.status).toBe(503);
    expect(await not.json()).toMatchObject({ ready: false, reasons: ['for a test'] });
    take();
    expect((await fetch(`${at}/else`)).status).toBe(404);
  });

  test('waits for streams that others own, and says for which', async () => {
    const config = parseConfig(BASE_VARIABLES, { SKERRY_NATS_URL: server.url, SKERRY_HTTP_PORT: '0' });
    if (!config.ok) throw new Error('config');
    const definition = {
      name: 'waits',
      variables: {},
      module: EmptyModule,
      needs: { streams: ['OBSERVED' as const] },
    };
    const starting = startService(definition, config.value, { log });
    const began = await Promise.race([starting, new Promise((r) => setTimeout(r, 600, 'waits'))]);
    expect(began).toBe('waits');
    await bus.ensureStream(STREAMS.OBSERVED);
    const service = await starting;
    started.push(service);
    expect(service.readiness.report().ready).toBe(true);
  });

  test('gives a lease to one instance, and to the next at once when the first drains', async () => {
    const [one, two] = [await start('one'), await start('two')];
    await bus.ensureBucket({ name: 'leases', owner: 'policy', maxBytes: 1 << 20, perKeyTtl: true });
    const acts: string[] = [];
    const work = (who: string) => ({
      start: () => void acts.push(`${who} starts`),
      stop: () => void acts.push(`${who} stops`),
    });
    // One that was not given back is over only after this.
    const options = { ttlMs: 30_000 };
    const first = one.app.get(Roles).hold('trial', work('one'), options);
    await until(() => first.epoch, 'one holds it');
    const second = two.app.get(Roles).hold('trial', work('two'), options);
    await one.stop();
    expect(first.epoch).toBeUndefined();
    const epoch = await until(() => second.epoch, 'two holds it', 8_000);
    expect(acts).toEqual(['one starts', 'one stops', 'two starts']);
    expect(two.readiness.report().holds).toEqual({ trial: epoch });
  });

  test('refuses two handlers on one durable instead of letting them steal from each other', async () => {
    const config = parseConfig(BASE_VARIABLES, { SKERRY_NATS_URL: server.url });
    if (!config.ok) throw new Error('config');
    const definition = { name: 'twice', variables: {}, module: TwiceModule };
    await expect(startService(definition, config.value, { log })).rejects.toThrow('share the durable');
  });

  test('injects the bus', async () => {
    const one = await start('one');
    const injected: Bus = one.app.get(BUS);
    expect(injected.connected).toBe(true);
  });
});

@Module({})
class EmptyModule {}

@Controller()
class TwiceController {
  @OnStored('CMD')
  one(): void {}
  @OnStored('CMD')
  two(): void {}
}
@Module({ controllers: [TwiceController] })
class TwiceModule {}

@Controller('streams')
class StreamController {
  @Get()
  forEver(@Res() reply: FastifyReply): void {
    reply.raw.writeHead(200, { 'content-type': 'text/event-stream' });
    reply.raw.write('data: first\n\n');
  }
}
@Module({ controllers: [StreamController] })
class HttpModule {}

describe('a service with HTTP of its own', () => {
  const definitionAt = (port: number) => ({
    name: 'http',
    variables: {},
    module: HttpModule,
    http: () => ({ host: '127.0.0.1', port }),
  });
  const configured = () => {
    const config = parseConfig(BASE_VARIABLES, { SKERRY_NATS_URL: server.url });
    if (!config.ok) throw new Error('config');
    return config.value;
  };

  test('serves health there too, and ends also while a client listens to a stream', async () => {
    const [port = 0] = await freePorts(1);
    const service = await startService(definitionAt(port), configured(), { log });
    const at = `http://127.0.0.1:${port}`;
    expect((await fetch(`${at}/healthz`)).status).toBe(200);
    expect(await (await fetch(`${at}/readyz`)).json()).toMatchObject({ ready: true });
    const stream = await fetch(`${at}/streams`);
    const ended = stream.text().catch(() => 'cut');
    await service.stop();
    expect(await ended).toBe('cut');
    await expect(fetch(`${at}/healthz`)).rejects.toThrow('fetch failed');
  });

  test('says which address is taken', async () => {
    const port = Number(new URL(server.url).port);
    const starting = startService(definitionAt(port), configured(), { log });
    await expect(starting).rejects.toThrow(`127.0.0.1:${port} cannot be used (EADDRINUSE)`);
  });
});
