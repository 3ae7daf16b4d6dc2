import { AsyncLocalStorage } from 'node:async_hooks';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { context, createContextKey, propagation, ROOT_CONTEXT, type Context } from '@opentelemetry/api';
import { done, type Bus } from './bus.js';
import { MemoryBus } from './memory/memory-bus.js';
import { MemoryServer } from './memory/memory-server.js';
import { bucketNamed, parseValue, streamNamed, until } from './suite/meeting.suite.js';

const KEY = createContextKey('trace');
const TRACE = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`;

/** As an SDK would: a propagator that knows `traceparent`, and contexts that follow promises. */
function register(): void {
  const storage = new AsyncLocalStorage<Context>();
  context.setGlobalContextManager({
    active: () => storage.getStore() ?? ROOT_CONTEXT,
    with: (ctx, fn, self, ...args) => storage.run(ctx, () => fn.call(self, ...args)),
    bind: (_ctx, target) => target,
    enable() {
      return this;
    },
    disable() {
      return this;
    },
  });
  propagation.setGlobalPropagator({
    fields: () => ['traceparent'],
    inject: (ctx, carrier, setter) => {
      const value = ctx.getValue(KEY);
      if (typeof value === 'string') setter.set(carrier, 'traceparent', value);
    },
    extract: (ctx, carrier, getter) => ctx.setValue(KEY, getter.get(carrier, 'traceparent')),
  });
}
const active = () => context.active().getValue(KEY);
const traced = <T>(act: () => T) => context.with(ROOT_CONTEXT.setValue(KEY, TRACE), act);

describe('a trace', () => {
  let bus: Bus;
  beforeAll(async () => {
    bus = new MemoryBus(new MemoryServer());
    await bus.ensureStream(streamNamed('TRACED'));
    await bus.ensureBucket(bucketNamed('traced', { atomic: true }));
  });
  afterEach(() => {
    context.disable();
    propagation.disable();
  });
  afterAll(async () => {
    await bus.close();
  });

  test('goes with what is published, into buckets too', async () => {
    register();
    const bucket = bus.bucket(bucketNamed('traced'), parseValue);
    const { sequence } = await traced(() => bus.publish('traced.a', {}));
    await traced(() => bucket.set('one', { n: 1 }));
    const both = ['two', 'three'].map((key) => ({ key, value: { n: 1 }, revision: 0 }));
    await traced(() => bucket.putAll(both));
    expect((await bus.message('TRACED', sequence))?.headers['traceparent']).toBe(TRACE);
    for (const key of ['one', 'two', 'three']) {
      expect((await bucket.get(key))?.headers['traceparent']).toBe(TRACE);
    }
  });

  test('that is given in the headers wins over the active one', async () => {
    register();
    const headers = { traceparent: `00-${'3'.repeat(32)}-${'4'.repeat(16)}-01` };
    const { sequence } = await traced(() => bus.publish('traced.b', {}, { headers }));
    expect((await bus.message('TRACED', sequence))?.headers['traceparent']).toBe(headers.traceparent);
  });

  test('is active in every handler of what carries it', async () => {
    register();
    const seen = new Map<string, unknown>();
    const consumption = await bus.consume(
      { stream: 'TRACED', durable: 'd', app: 'x', from: 'new' },
      async () => {
        await Promise.resolve();
        seen.set('consume', active());
        return done;
      },
    );
    const following = await bus.follow('TRACED', () => void seen.set('follow', active()), { from: 'new' });
    bus.respond('rpc.traced', () => {
      seen.set('respond', active());
      return {};
    });
    bus.listen('say.traced', () => void seen.set('listen', active()));
    await traced(async () => {
      await bus.publish('traced.c', {});
      await bus.request('rpc.traced', {});
      bus.say('say.traced', {});
    });
    await until('all have heard', () => seen.size === 4);
    expect([...seen.values()]).toEqual([TRACE, TRACE, TRACE, TRACE]);
    await consumption.drain();
    await following.drain();
  });

  test('costs no header where nothing traces', async () => {
    const { sequence } = await bus.publish('traced.d', {});
    expect((await bus.message('TRACED', sequence))?.headers).toEqual({});
  });
});
