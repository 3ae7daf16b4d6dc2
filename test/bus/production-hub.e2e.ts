import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { connect as secure } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { BackupStore, createBackup, openTarget, restoreBackup } from '@skerry/backup';
import { connectBus, TimedOut, type Bus } from '@skerry/bus';
import { BUCKETS, bucketStream, bucketSubject, inboxPrefix, JETSTREAM_API, STREAMS } from '@skerry/contracts';
import {
  exampleConfigs,
  issueSiteCertificate,
  makeCertificateRequest,
  makePrivateKey,
  writeHubFolder,
  type CloudIdentity,
  type HubPlan,
} from '@skerry/identity';
import { freePorts } from '@skerry/local';
import { findNatsServer } from '@skerry/nats-server';
import { z } from 'zod';
import { until } from './secured-cloud.js';

const ROOT = resolve(import.meta.dirname, '../..');
const HOSTS = ['127.0.0.1', '127.0.0.2', '127.0.0.3'];

test('the example configurations are what the functions make', async () => {
  for (const [path, text] of exampleConfigs()) {
    // When this fails: build, then node deploy/hub/examples.mjs
    expect(await readFile(resolve(ROOT, path), 'utf8')).toBe(text);
  }
});

/** Three servers on three addresses of loopback, from the folder that the founding writes. */
describe('a hub of three servers', () => {
  let folder: string;
  let identity: CloudIdentity;
  let plan: HubPlan;
  let bus: Bus;
  const servers = new Map<string, ChildProcess>();

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skerry-hub-'));
    const [client = 0, routes = 0, leaf = 0, monitoring = 0] = await freePorts(4);
    plan = {
      name: 'skerry',
      servers: HOSTS.map((host, i) => ({ name: `h${i + 1}`, host, bind: host })),
      ports: { client, routes, leaf, monitoring },
    };
    identity = await writeHubFolder(folder, planOf('h1'), Date.now());
    for (const { name } of plan.servers) {
      await writeHubFolder(folder, planOf(name), Date.now());
      await start(name);
    }
    bus = await connectTo(HOSTS);
    await until(
      'a leader',
      async () =>
        await bus.ensureBucket(BUCKETS.workloads).then(
          () => true,
          () => false,
        ),
    );
  }, 60_000);
  afterAll(async () => {
    await bus?.close();
    for (const child of servers.values()) await kill(child);
    await rm(folder, { recursive: true, force: true });
  });

  test('has a configuration that the server itself finds right', async () => {
    for (const { name } of plan.servers) {
      const check = spawn(await findNatsServer(), ['-t', '-c', confOf(name)], { stdio: 'ignore' });
      expect(await once(check, 'exit')).toEqual([0, null]);
    }
  });

  test('keeps what it acknowledged when one of the servers is killed', async () => {
    const bucket = bus.bucket(BUCKETS.workloads, (value) => value);
    await bucket.put('shop.web', { n: 1 }, 0);
    await kill(child('h2'));
    await until('a write without it', async () => {
      try {
        const { revision } = (await bucket.get('shop.web')) ?? { revision: 0 };
        return (await bucket.put('shop.web', { n: 2 }, revision)) > revision;
      } catch {
        return false; // Until the others have chosen a leader.
      }
    });
    expect(await bucket.get('shop.web')).toMatchObject({ value: { n: 2 } });
    await start('h2');
  }, 60_000);

  test('takes fenced writes that come at the same time', async () => {
    const bucket = bus.bucket(BUCKETS.workloads, (value) => value);
    const epoch = await bucket.set('shop.epoch', {});
    const fence = { key: 'shop.epoch', revision: epoch };
    const writes = Array.from({ length: 50 }, (_, n) => bucket.putFenced(`shop.w${n}`, { n }, fence));
    expect(new Set(await Promise.all(writes)).size).toBe(50);
  });

  test('stores once what is published many times at once under one id', async () => {
    const send = () =>
      bus.publish(bucketSubject('workloads', 'shop.same'), {}, { messageId: 'same-at-once' });
    const acks = await Promise.all(Array.from({ length: 20 }, send));
    expect(new Set(acks.map((ack) => ack.sequence)).size).toBe(1);
    expect(acks.filter((ack) => !ack.duplicate)).toHaveLength(1);
  });

  test('says of what the other servers have not answered that it may be stored', async () => {
    const info = await bus.request(JETSTREAM_API.streamInfo(bucketStream('workloads')), {});
    const { leader } = z.object({ cluster: z.object({ leader: z.string() }) }).parse(info.json()).cluster;
    const there = await connectTo(plan.servers.flatMap(({ name, host }) => (name === leader ? [host] : [])));
    const others = plan.servers.filter(({ name }) => name !== leader).map(({ name }) => child(name));
    const send = () => {
      const options = { timeoutMs: 500, messageId: 'waits-for-others' };
      return there.publish(bucketSubject('workloads', 'shop.waits'), {}, options);
    };
    for (const other of others) other.kill('SIGSTOP');
    const error = await send().catch((reason: unknown) => reason);
    for (const other of others) other.kill('SIGCONT');
    expect(error).toBeInstanceOf(TimedOut);
    // It was: said again, it is known.
    await until('it is stored', async () =>
      send().then(
        (ack) => ack.duplicate,
        () => false,
      ),
    );
    await there.close();
  }, 60_000);

  test('is backed up by one user and brought back by another, with three copies of each stream', async () => {
    const bucket = bus.bucket(BUCKETS.workloads, (value) => value);
    await bucket.set('shop.kept', { n: 3 });
    const reading = await connectTo(HOSTS, 'backup');
    const writing = await connectTo(HOSTS, 'restore');
    // Two of the servers stood still a moment ago.
    await until('they agree again', async () =>
      reading.streamState(STREAMS.OBSERVED.name).then(
        () => true,
        () => false,
      ),
    );
    try {
      const place = await openTarget(join(folder, 'backups'), {});
      const store = await BackupStore.open(place, randomBytes(32), { make: true });
      const options = { history: false, datasets: [], jurisdictions: [] };
      const manifest = await onceMore(() => createBackup(reading, store, options));
      await bucket.set('shop.kept', { n: 4 });
      const restored = await onceMore(() =>
        restoreBackup(writing, store, manifest, { force: true, replicas: 3 }),
      );
      expect(restored.term).toBeGreaterThanOrEqual(2);
      expect(await bucket.get('shop.kept')).toMatchObject({ value: { n: 3 } });
      for (const stream of [bucketStream(BUCKETS.workloads.name), STREAMS.CMD.name, STREAMS.REP.name]) {
        const info = await writing.request(JETSTREAM_API.streamInfo(stream), {});
        expect(info.json()).toMatchObject({ config: { num_replicas: 3 }, cluster: { replicas: [{}, {}] } });
      }
    } finally {
      await reading.close();
      await writing.close();
    }
  }, 60_000);

  test('lets no certificate of a site onto the routes between its servers', async () => {
    const keyPem = makePrivateKey();
    const csrPem = await makeCertificateRequest({ site: 'eu-de', keyPem });
    const certPem = await issueSiteCertificate(identity.sitesCa, {
      site: 'eu-de',
      csrPem,
      nowMs: Date.now(),
    });
    expect(await routeAnswer(certPem, keyPem)).toMatch(/unknown ca|bad certificate/i);
    const own = join(folder, 'servers', 'h1', 'tls', 'server');
    const pair = [await readFile(`${own}.crt`, 'utf8'), await readFile(`${own}.key`, 'utf8')] as const;
    expect(await routeAnswer(...pair)).toBe('accepted');
  });

  test('keeps its keys, creds and the join pin when it is written again', async () => {
    const files = [
      'creds/api.creds',
      'admin.token',
      'bootstrap.json',
      'join/join.key',
      'identity/operator.jwt',
    ];
    const read = async (): Promise<string[]> =>
      await Promise.all(files.map(async (file) => await readFile(join(folder, file), 'utf8')));
    const before = await read();
    await writeHubFolder(folder, planOf('h3'), Date.now());
    expect(await read()).toEqual(before);
  });

  test('serves renewed certificates after a reload, to clients and to sites', async () => {
    const [before, { client = 0, leaf = 0 }] = [await served('h1', 'file'), plan.ports ?? {}];
    await writeHubFolder(folder, planOf('h1'), Date.now());
    const renewed = await served('h1', 'file');
    expect(renewed).not.toBe(before);
    child('h1').kill('SIGHUP');
    for (const port of [client, leaf]) {
      await until(`the new certificate on ${port}`, async () => (await served('h1', port)) === renewed);
    }
  });

  test('is one server or three, of different names, and nothing else', async () => {
    const [one] = plan.servers;
    if (one === undefined) throw new Error('no server');
    const wrong = [
      [],
      [one, { ...one, name: 'h2' }],
      [one, one, one],
      [{ ...one, name: 'h 1' }],
      [{ ...one, host: 'a b' }],
    ];
    for (const some of wrong) {
      const written = writeHubFolder(folder, { ...plan, servers: some }, Date.now());
      await expect(written).rejects.toThrow(/one server or three|one name|server name|not a host/);
    }
  });

  /** The plan with the folders of one server: in life each is a machine of its own. */
  function planOf(name: string): HubPlan {
    return { ...plan, folder: join(folder, 'servers', name), store: join(folder, 'store', name) };
  }

  function confOf(name: string): string {
    return join(folder, 'servers', name, 'nats.conf');
  }

  function child(name: string): ChildProcess {
    const found = servers.get(name);
    if (found === undefined) throw new Error(`no server ${name}`);
    return found;
  }

  async function start(name: string): Promise<void> {
    await writeHubFolder(folder, planOf(name), Date.now());
    const log = await open(join(folder, `${name}.log`), 'a');
    servers.set(
      name,
      spawn(await findNatsServer(), ['-c', confOf(name)], { stdio: ['ignore', log.fd, log.fd] }),
    );
    await log.close();
  }

  async function connectTo(hosts: readonly string[], user = 'policy'): Promise<Bus> {
    return await connectBus({
      servers: hosts.map((host) => `${host}:${plan.ports?.client ?? 0}`),
      name: user,
      credsFile: join(folder, 'creds', `${user}.creds`),
      caFile: join(folder, 'servers', 'h1', 'tls', 'servers-ca.crt'),
      inboxPrefix: inboxPrefix(user),
      replicas: 3,
    });
  }

  /** Fingerprint of the certificate in a server's folder, or of the one that it shows on a port. */
  async function served(name: string, from: 'file' | number): Promise<string> {
    const tls = join(folder, 'servers', name, 'tls');
    if (from === 'file') return new X509Certificate(await readFile(join(tls, 'server.crt'))).fingerprint256;
    const ca = await readFile(join(tls, 'servers-ca.crt'));
    const socket = secure({ host: '127.0.0.1', port: from, ca });
    await once(socket, 'secureConnect');
    const { fingerprint256 } = socket.getPeerCertificate();
    socket.on('error', () => undefined).destroy();
    return fingerprint256;
  }

  /** What h1 says on its routes port to this certificate. */
  async function routeAnswer(cert: string, key: string): Promise<string> {
    const ca = await readFile(join(folder, 'servers', 'h1', 'tls', 'servers-ca.crt'));
    const socket = secure({
      host: '127.0.0.1',
      port: plan.ports?.routes ?? 0,
      cert,
      key,
      ca,
      minVersion: 'TLSv1.3',
    });
    // With TLS 1.3 a client learns of its refusal when it reads; to one that it accepts the server says INFO.
    return await new Promise<string>((done) => {
      socket.once('error', (error) => done(error.message));
      socket.once('close', () => done('closed'));
      socket.once('data', (data: Buffer) => done(data.toString().startsWith('INFO') ? 'accepted' : 'data'));
    }).finally(() => socket.destroy());
  }
});

/** Tries again, once, what was not answered in time: servers that choose a leader drop what they are asked. */
async function onceMore<T>(act: () => Promise<T>): Promise<T> {
  return await act().catch(async (error: unknown) => {
    if (error instanceof TimedOut) return await act();
    throw error;
  });
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
