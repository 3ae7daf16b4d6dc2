import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { connectBus, done, reject, type Bus } from '@skerry/bus';
import {
  BUCKETS,
  EPOCH_KEY,
  HUB,
  JETSTREAM_API,
  LIVE_STATUS,
  RPC,
  STREAMS,
  bucketStream,
  commandSubject,
  deadLetterSubject,
  desiredSubject,
  eventSubject,
  inboxPrefix,
  liveStatusSubject,
  observedSubject,
  type BucketName,
  type StreamName,
} from '@skerry/contracts';
import { SecuredCloud, until } from './secured-cloud.js';

const APPS = ['api', 'policy', 'scheduler', 'replicator', 'inventory', 'telemetry'] as const;
type App = (typeof APPS)[number];
const ACCOUNT = `A${'B'.repeat(55)}`;

/** What each app reads besides its own, as the design has it. */
const READS: Readonly<Record<App, readonly (BucketName | StreamName)[]>> = {
  api: ['workloads', 'placements', 'siteSpecs', 'siteStates', 'nodes', 'outcomes', 'identities', 'EVT'],
  policy: ['siteStates'],
  scheduler: ['workloads', 'siteSpecs', 'siteStates', 'OBSERVED'],
  replicator: ['placements', 'workloads', 'siteSpecs', 'OBSERVED'],
  inventory: ['siteSpecs', 'placements'],
  telemetry: ['workloads', 'placements', 'siteSpecs', 'siteStates', 'nodes', 'OBSERVED'],
};

/** The permissions are enough: every app does its work through the real bus with its own user. */
describe('an app with its own user', () => {
  let cloud: SecuredCloud;
  const buses = new Map<App | 'operator', Bus>();
  const alarms: string[] = [];

  beforeAll(async () => {
    cloud = await SecuredCloud.start([]);
    for (const app of [...APPS, 'operator'] as const) buses.set(app, await open(app));
    for (const definition of Object.values(BUCKETS)) await busOf(definition.owner).ensureBucket(definition);
    for (const definition of Object.values(STREAMS)) await busOf(definition.owner).ensureStream(definition);
  }, 60_000);
  afterAll(async () => {
    for (const bus of buses.values()) await bus.close();
    await cloud?.stop();
  });

  test('writes, reads, follows, compares and deletes in the buckets it owns', async () => {
    for (const definition of Object.values(BUCKETS).filter(({ name }) => name !== 'leases')) {
      const bucket = busOf(definition.owner).bucket(definition, (value) => value);
      const revision = await bucket.put('shop.web', { n: 1 }, 0);
      await bucket.put('shop.web', { n: 2 }, revision);
      expect(await bucket.get('shop.web')).toMatchObject({ value: { n: 2 } });
      expect(await bucket.keys()).toEqual(['shop.web']);
      await bucket.delete('shop.web');
      expect(await bucket.get('shop.web')).toBeUndefined();
    }
    const placements = busOf('scheduler').bucket(BUCKETS.placements, (value) => value);
    const epoch = await placements.put(EPOCH_KEY, {}, 0);
    await placements.putFenced('shop.web', {}, { key: EPOCH_KEY, revision: epoch });
    const workloads = busOf('policy').bucket(BUCKETS.workloads, (value) => value);
    const both = ['shop.a', 'shop.b'].map((key) => ({ key, value: {}, revision: 0 }));
    expect(await workloads.putAll(both)).toHaveLength(2);
  });

  test.each(APPS)('%s follows what it reads', async (app) => {
    for (const place of READS[app]) {
      const name = place in BUCKETS ? bucketStream(BUCKETS[place as BucketName].name) : place;
      const following = await busOf(app).follow(name, () => undefined);
      await following.caughtUp;
      await following.drain();
    }
    expect(alarms).toEqual([]);
  });

  test.each(APPS.filter((app) => app !== 'api'))('%s holds a lease and gives it back', async (app) => {
    const lease = busOf(app).lease(app, 'one');
    const acquired = new Promise<number>((resolve) =>
      lease.run({ onAcquired: resolve, onLost: () => undefined }),
    );
    expect(await acquired).toBeGreaterThan(0);
    await lease.release();
    expect(lease.epoch).toBeUndefined();
  });

  test('api commands, policy consumes, what policy refuses lies among the dead letters that api drops', async () => {
    const api = busOf('api');
    const seen: string[] = [];
    const consuming = await busOf('policy').consume(
      { stream: 'CMD', durable: 'policy', app: 'policy' },
      async (message) => {
        seen.push(message.subject);
        return message.subject.endsWith('bad') ? reject('no') : done;
      },
    );
    await api.publish(commandSubject('workload.apply', 'shop', 'web'), {});
    await api.publish(commandSubject('workload.apply', 'shop', 'bad'), {});
    const dead = async (): Promise<number> => (await api.streamState('DEAD'))?.messages ?? 0;
    await until('dead letter', async () => (await dead()) === 1);
    expect(seen).toHaveLength(2);
    const letter = await busOf('policy').message('DEAD', 1);
    expect(letter?.subject).toBe(deadLetterSubject('policy', 'CMD'));
    await api.deleteMessage('DEAD', 1);
    expect(await dead()).toBe(0);
    await consuming.drain();
  });

  test('requests between apps are answered', async () => {
    const asked: readonly [App, App, string][] = [
      ['api', 'policy', RPC.admit],
      ['api', 'policy', RPC.join],
      ['inventory', 'policy', RPC.cutOff],
      ['api', 'scheduler', RPC.plan],
      ['api', 'telemetry', RPC.statusList],
      ['api', 'scheduler', RPC.redeliver('scheduler')],
      ['api', 'inventory', RPC.redeliver('inventory')],
    ];
    for (const [asker, answerer, subject] of asked) {
      const answering = busOf(answerer).respond(subject, () => ({ by: answerer }));
      await until(`${answerer} on ${subject}`, async () => {
        const answer = await busOf(asker)
          .request(subject, {}, { timeoutMs: 500 })
          .catch(() => undefined);
        return JSON.stringify(answer?.json()) === JSON.stringify({ by: answerer });
      });
      await answering.drain();
    }
    expect(alarms).toEqual([]);
  });

  test('the replicator keeps DL and the durable consumers of the sites', async () => {
    const replicator = busOf('replicator');
    await replicator.publish(desiredSubject('eu-de', 'shop', 'web'), {}, { expect: { sequence: 0 } });
    const durable = { durable_name: ACCOUNT, name: ACCOUNT, deliver_subject: HUB.delivery(ACCOUNT) };
    const flow = { ack_policy: 'flow_control', flow_control: true, idle_heartbeat: 1_000_000_000 };
    const config = { ...durable, ...flow, filter_subject: 'desired.eu-de.>', deliver_policy: 'all' };
    const made = await replicator.request(JETSTREAM_API.durableCreate('DL', ACCOUNT), {
      stream_name: 'DL',
      config,
    });
    expect(made.json()).toMatchObject({ name: ACCOUNT });
    const info = await replicator.request(JETSTREAM_API.consumerInfo('DL', ACCOUNT), {});
    expect(info.json()).toMatchObject({ name: ACCOUNT });
    await replicator.request(JETSTREAM_API.consumerDelete('DL', ACCOUNT), {});
    await replicator.purge('DL', desiredSubject('eu-de', 'shop', 'web'));
    expect(await replicator.streamState('DL')).toMatchObject({ messages: 0 });
  });

  test('owners say events, people hear them; telemetry says the live status that api hears', async () => {
    const heard: string[] = [];
    busOf('operator').listen('skerry.evt.>', (message) => heard.push(message.subject));
    busOf('api').listen(LIVE_STATUS, (message) => heard.push(message.subject));
    const said = [
      ['policy', eventSubject('workload.admitted', 'web', 'shop')],
      ['scheduler', eventSubject('workload.placed', 'web', 'shop')],
      ['inventory', eventSubject('site.lost', 'eu-de')],
      ['telemetry', eventSubject('workload.running', 'web', 'shop')],
    ] as const;
    await until('listening', async () => {
      for (const [app, subject] of said) await busOf(app).publish(subject, {});
      busOf('telemetry').say(liveStatusSubject('shop', 'web'), {});
      return new Set(heard).size === said.length + 1;
    });
    await busOf('inventory').publish(observedSubject('eu-de', 'shop', 'web'), {});
    expect(alarms).toEqual([]);
  });

  async function open(app: App | 'operator'): Promise<Bus> {
    return await connectBus({
      servers: [`127.0.0.1:${cloud.hubPort}`],
      name: app,
      credsFile: await cloud.writeAppCreds(app),
      inboxPrefix: inboxPrefix(app),
      onAlarm: (alarm) => alarms.push(JSON.stringify(alarm)),
    });
  }

  function busOf(app: string): Bus {
    const bus = [...buses].find(([name]) => name === app)?.[1];
    if (bus === undefined) throw new Error(`no bus of ${app}`);
    return bus;
  }
});
