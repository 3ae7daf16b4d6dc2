import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/nats-core';
import { connect } from '@nats-io/transport-node';
import { BUCKETS } from '@skerry/contracts';
import type { Bus } from '../bus.js';
import { bucketNamed, failure, parseValue, streamNamed, until } from '../suite/meeting.suite.js';
import { connectBus } from './nats-bus.js';
import { RealServer } from './real-server.suite.js';

/** What goes over the wire: NATS's own client drops some conditions and times to live without a word. */
describe('the bus on the wire', () => {
  let server: RealServer;
  let bus: Bus;
  let raw: NatsConnection;
  beforeAll(async () => {
    server = await RealServer.start();
    bus = await connectBus({ servers: [server.url], name: 'wire' });
    raw = await connect({ servers: server.url });
    await bus.ensureStream(streamNamed('WIRE'));
    await bus.ensureBucket(bucketNamed('wired', { perKeyTtl: true, atomic: true }));
    await bus.ensureBucket(BUCKETS.leases);
  });
  afterAll(async () => {
    await raw?.close();
    await bus?.close();
    await server?.stop();
  });
  const stored = async (stream: string, subject: string) => {
    const m = await raw.request(`$JS.API.DIRECT.GET.${stream}.${subject}`);
    return Object.fromEntries([...(m.headers ?? [])].map(([name, values]) => [name, values[0]]));
  };

  test('a conditional publish carries its condition, and the server refuses it by its own code', async () => {
    const { sequence } = await bus.publish('wire.cas', {}, { expect: { sequence: 0 } });
    await bus.publish('wire.cas', {}, { expect: { sequence }, messageId: 'id-1' });
    expect(await stored('WIRE', 'wire.cas')).toMatchObject({
      'Nats-Expected-Last-Subject-Sequence': String(sequence),
      'Nats-Msg-Id': 'id-1',
    });
    const error = await failure(bus.publish('wire.cas', {}, { expect: { sequence } }));
    expect(error.message).toContain('(10071)');
  });

  test('a fenced write carries the subject and the sequence of its fence', async () => {
    const bucket = bus.bucket(bucketNamed('wired'), parseValue);
    const epoch = await bucket.set('epoch', { n: 1 });
    await bucket.putFenced('a', { n: 1 }, { key: 'epoch', revision: epoch });
    expect(await stored('KV_wired', '$KV.wired.a')).toMatchObject({
      'Nats-Expected-Last-Subject-Sequence': String(epoch),
      'Nats-Expected-Last-Subject-Sequence-Subject': '$KV.wired.epoch',
    });
  });

  test('every message of a batch carries its own condition, and the server refuses the whole', async () => {
    const bucket = bus.bucket(bucketNamed('wired'), parseValue);
    const [first = 0] = await bucket.putAll([
      { key: 'b.one', value: { n: 1 }, revision: 0 },
      { key: 'b.two', value: { n: 1 }, revision: 0 },
    ]);
    for (const key of ['b.one', 'b.two']) {
      expect(await stored('KV_wired', `$KV.wired.${key}`)).toMatchObject({
        'Nats-Expected-Last-Subject-Sequence': '0',
      });
    }
    const stale = [
      { key: 'b.two', value: { n: 2 }, revision: first + 1 },
      { key: 'b.one', value: { n: 2 }, revision: first + 1 },
    ];
    expect((await failure(bucket.putAll(stale))).message).toContain('(10071)');
    const twice = [
      { key: 'b.three', value: { n: 1 }, revision: 0 },
      { key: 'b.three', value: { n: 2 }, revision: 0 },
    ];
    expect((await failure(bucket.putAll(twice))).message).toContain('(10164)');
    expect(await bucket.get('b.three')).toBeUndefined();
  });

  test('a renewed lease keeps its time to live and its condition', async () => {
    const lease = bus.lease('renewed', 'one');
    lease.run({ onAcquired: () => undefined, onLost: () => undefined });
    await until('held', () => lease.epoch !== undefined);
    const { epoch } = lease;
    await until('renewed twice', async () => {
      const headers = await stored('KV_leases', '$KV.leases.renewed');
      return Number(headers['Nats-Sequence']) >= Number(epoch) + 2;
    });
    const headers = await stored('KV_leases', '$KV.leases.renewed');
    expect(headers).toMatchObject({
      'Nats-TTL': '2s',
      'Nats-Expected-Last-Subject-Sequence': String(Number(headers['Nats-Sequence']) - 1),
    });
    await lease.release();
  });

  test("NATS's own tools read the buckets, see what is gone, and write what is read here", async () => {
    const definition = bucketNamed('shared');
    await bus.ensureBucket(definition);
    const bucket = bus.bucket(definition, parseValue);
    const theirs = await new Kvm(raw).open('shared');
    const revision = await bucket.put('p.a', { n: 1 }, 0);
    const entry = await theirs.get('p.a');
    expect([entry?.json(), entry?.revision]).toEqual([{ n: 1 }, revision]);
    await bucket.delete('p.a');
    expect((await theirs.get('p.a'))?.operation).toBe('PURGE');
    await theirs.put('p.b', JSON.stringify({ n: 2 }));
    expect((await bucket.get('p.b'))?.value).toEqual({ n: 2 });
    await theirs.delete('p.b');
    expect(await bucket.get('p.b')).toBeUndefined();
    expect(await bucket.keys()).toEqual([]);
  });
});
