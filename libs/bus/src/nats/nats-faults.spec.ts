import { cp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { nkeys } from '@nats-io/nats-core';
import { connect } from '@nats-io/transport-node';
import type { Alarm } from '../alarm.js';
import { done, type Bus } from '../bus.js';
import { Forbidden, StorageFull, Unavailable } from '../errors.js';
import { bucketNamed, failure, parseValue, streamNamed, until, type Value } from '../suite/meeting.suite.js';
import type { ConnectOptions } from './link.js';
import { connectBus } from './nats-bus.js';
import { RealServer, Relay } from './real-server.suite.js';

describe('the bus over NATS, when something breaks', () => {
  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).toReversed()) await close();
  });

  async function serve(config?: string, diskMiB?: number): Promise<RealServer> {
    const server = await RealServer.start(config, diskMiB);
    closing.push(() => server.stop());
    return server;
  }
  async function joined(url: string, more: Partial<ConnectOptions> = {}): Promise<Bus> {
    const bus = await connectBus({ servers: [url], name: 'test', onAlarm: () => undefined, ...more });
    closing.push(() => bus.close());
    return bus;
  }

  test('nothing acknowledged is lost over a kill of the server, and everyone goes on by himself', async () => {
    const server = await serve('jetstream { sync_interval: always }');
    const bus = await joined(server.url);
    await bus.ensureStream(streamNamed('LOAD', { retention: 'workqueue' }));
    const definition = bucketNamed('facts');
    await bus.ensureBucket(definition);
    const bucket = bus.bucket(definition, parseValue);
    const handled = new Set<number>();
    await bus.consume({ stream: 'LOAD', durable: 'd', app: 'test', ackWaitMs: 1_000 }, async (m) => {
      handled.add(m.sequence);
      return done;
    });
    const facts = new Map<string, Value>();
    const following = await bucket.follow((change) => {
      if (change.kind === 'put') facts.set(change.key, change.value);
    });
    const acknowledged = new Set<number>();
    const load = async (n: number) => {
      for (;;) {
        try {
          acknowledged.add(
            (await bus.publish(`load.${n}`, { n }, { messageId: `m${n}`, timeoutMs: 2_000 })).sequence,
          );
          return;
        } catch {
          // Said again with the same id.
        }
      }
    };
    const loads: Promise<void>[] = [];
    for (let n = 0; n < 300; n++) {
      loads.push(load(n));
      if (n % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      if (n === 100 || n === 200) {
        await server.kill();
        await server.run();
      }
    }
    await Promise.all(loads);
    expect(acknowledged.size).toBe(300);
    await until('all handled', () => [...acknowledged].every((sequence) => handled.has(sequence)));
    const last = await bucket.put('after', { n: 1 }, 0);
    await following.reached(last, 10_000);
    expect(facts.get('after')).toEqual({ n: 1 });
  });

  test('a follower begins anew when its server lost what it had stored last, and has stored as much again since', async () => {
    const server = await serve('jetstream { sync_interval: always }');
    const relay = await Relay.start(server.port);
    closing.push(() => relay.stop());
    const [bus, far] = [await joined(server.url), await joined(relay.url)];
    await bus.ensureStream(streamNamed('BACK'));
    await bus.publish('back.a', { n: 1 });
    await server.kill();
    const kept = join(server.folder, 'kept');
    await cp(join(server.folder, 'js'), kept, { recursive: true });
    await server.run();
    await until('back', () => bus.connected && far.connected);
    let restarts = 0;
    let heard: unknown[] = [];
    const onRestart = () => {
      restarts += 1;
      heard = [];
    };
    await far.follow('BACK', (m) => void heard.push(m.json()), { onRestart });
    await bus.publish('back.lost', { n: 2 });
    await until('both heard', () => heard.length === 2);
    relay.cut();
    await server.kill();
    await rm(join(server.folder, 'js'), { recursive: true });
    await cp(kept, join(server.folder, 'js'), { recursive: true });
    await server.run();
    await until('back', () => bus.connected);
    for (const n of [3, 4]) await bus.publish(`back.${n}`, { n });
    relay.heal();
    await until('all heard', () => heard.length === 3);
    expect(heard).toEqual([{ n: 1 }, { n: 3 }, { n: 4 }]);
    expect(restarts).toBe(1);
  });

  test('a durable or a follower that an operator deleted is made again', async () => {
    const server = await serve();
    const bus = await joined(server.url);
    await bus.ensureStream(streamNamed('KEPT'));
    const consumed: number[] = [];
    const followed: number[] = [];
    await bus.consume({ stream: 'KEPT', durable: 'mine', app: 'test' }, async (m) => {
      consumed.push(m.sequence);
      return done;
    });
    await bus.follow('KEPT', (m) => void followed.push(m.sequence));
    await bus.publish('kept.a', {});
    await until('both heard', () => consumed.length === 1 && followed.length === 1);
    const admin = await connect({ servers: server.url });
    closing.push(() => admin.close());
    const listed = (await admin.request('$JS.API.CONSUMER.NAMES.KEPT')).json<{ consumers: string[] }>();
    expect(listed.consumers).toHaveLength(2);
    for (const name of listed.consumers) await admin.request(`$JS.API.CONSUMER.DELETE.KEPT.${name}`);
    await bus.publish('kept.b', {});
    await until('both heard again', () => consumed.includes(2) && followed.includes(2));
    expect(followed).toEqual([1, 2]);
  });

  test('leaves no consumer behind for what it no longer follows', async () => {
    const server = await serve();
    const bus = await joined(server.url);
    await bus.ensureBucket(bucketNamed('tidy'));
    const bucket = bus.bucket(bucketNamed('tidy'), parseValue);
    await bucket.keys();
    await (await bucket.follow(() => undefined)).drain();
    const admin = await connect({ servers: server.url });
    closing.push(() => admin.close());
    const { consumers } = (await admin.request('$JS.API.CONSUMER.NAMES.KV_tidy')).json<{
      consumers: string[];
    }>();
    expect(consumers).toEqual([]);
  });

  test('a full disk is called so, and what was acknowledged stays', async () => {
    const server = await serve('jetstream { max_file: 100MB, sync_interval: always }', 5);
    const bus = await joined(server.url);
    await bus.ensureStream(streamNamed('DISK', { maxBytes: 64 * 1024 * 1024 }));
    let stored = 0;
    const fill = async () => {
      for (; stored < 100; stored++) {
        await bus.publish('disk.a', new Uint8Array(200_000), { timeoutMs: 1_000 });
      }
    };
    const error = await failure(fill());
    expect(error).toBeInstanceOf(StorageFull);
    expect(error.message).toContain('is its disk full? make room, then restart it');
    expect((await bus.streamState('DISK'))?.messages).toBe(stored);
    for (let sequence = 1; sequence <= stored; sequence++) {
      expect((await bus.message('DISK', sequence))?.data.length).toBe(200_000);
    }
  });

  test('says at once what its user may not do', async () => {
    const key = nkeys.createUser();
    const permissions = '{ publish: ["mine.>", "$JS.API.>"], subscribe: ["_INBOX_me.>"] }';
    const users = `[ { nkey: ${key.getPublicKey()}, permissions: ${permissions} } ]`;
    const server = await serve(`authorization { users: ${users} }`);
    const nkeySeedFile = join(server.folder, 'user.seed');
    await writeFile(nkeySeedFile, Buffer.from(key.getSeed()).toString(), { mode: 0o600 });
    const alarms: Alarm[] = [];
    const onAlarm = (alarm: Alarm) => void alarms.push(alarm);
    const bus = await joined(server.url, { nkeySeedFile, inboxPrefix: '_INBOX_me', onAlarm });
    await bus.ensureStream(streamNamed('MINE'));
    await bus.publish('mine.a', {});
    const began = performance.now();
    expect(await failure(bus.publish('other.a', {}))).toBeInstanceOf(Forbidden);
    expect(await failure(bus.request('other.b', {}))).toBeInstanceOf(Forbidden);
    expect(performance.now() - began).toBeLessThan(4_000);
    bus.listen('other.>', () => undefined);
    await until('an alarm', () => alarms.some((alarm) => alarm.what === 'subscribe to other.>'));
    expect(bus.connected).toBe(true);
  });

  test('says whom it could not reach, within the time given', async () => {
    const server = await serve();
    await server.kill();
    const error = await failure(connectBus({ servers: [server.url], name: 'tester', firstConnectMs: 300 }));
    expect(error).toBeInstanceOf(Unavailable);
    expect(error.message).toContain(`connect tester to ${server.url}`);
  });

  test('connects to a server that comes later', async () => {
    const server = await serve();
    await server.kill();
    const connecting = joined(server.url, { firstConnectMs: 20_000 });
    await server.run();
    expect((await connecting).connected).toBe(true);
  });

  test('says which file of its own it cannot read', async () => {
    const error = await failure(
      connectBus({ servers: ['127.0.0.1:1'], name: 'x', credsFile: '/nowhere/a.creds' }),
    );
    expect(error.message).toContain('read /nowhere/a.creds');
  });

  test('takes an exchanged key at its next connect', async () => {
    const [old, fresh] = [nkeys.createUser(), nkeys.createUser()];
    const user = (key: typeof old, publish: string) =>
      `{ nkey: ${key.getPublicKey()}, permissions: { publish: ["${publish}"], subscribe: [">"] } }`;
    const server = await serve(`authorization { users: [ ${user(old, 'old')}, ${user(fresh, 'fresh')} ] }`);
    const relay = await Relay.start(server.port);
    closing.push(() => relay.stop());
    const file = join(server.folder, 'user.seed');
    const write = (key: typeof old) =>
      writeFile(file, `${Buffer.from(key.getSeed()).toString()}\n`, { mode: 0o600 });
    await write(old);
    const bus = await joined(relay.url, { nkeySeedFile: file });
    expect(await failure(bus.request('fresh', {}))).toBeInstanceOf(Forbidden);
    await write(fresh);
    relay.cut();
    await until('cut', () => !bus.connected);
    relay.heal();
    await until('connected', () => bus.connected);
    expect(await failure(bus.request('fresh', {}))).toBeInstanceOf(Unavailable);
  });
});
