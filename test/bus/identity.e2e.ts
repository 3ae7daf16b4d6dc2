import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { NatsConnection } from '@nats-io/transport-node';
import { NKey, adminUserJwt, credsText, siteUserJwt, writeCreds } from '@skerry/identity';
import { LeafAttacker } from './leaf-attacker.js';
import { SecuredCloud, until } from './secured-cloud.js';

const A = 'aa';
const B = 'bb';

/** A hub with an intake that answers, as inventory does, and two sites; the attacker owns the first. */
describe('an attacker who holds everything of one site', () => {
  let cloud: SecuredCloud;
  let admin: NatsConnection;
  let agentA: NatsConnection;
  let agentB: NatsConnection;
  let accountA: string;
  let accountB: string;
  const intake: string[] = [];
  const seenInCloud: string[] = [];
  const seenByA: string[] = [];
  const seenByB: string[] = [];
  let fences = 0;

  beforeAll(async () => {
    cloud = await SecuredCloud.start([A, B]);
    [accountA, accountB] = [cloud.site(A).account, cloud.site(B).account];
    admin = await cloud.connectCloud('admin');
    await startControlPlane();
    agentA = await cloud.connectSite(A, cloud.site(A).agent, '_INBOX_agent');
    agentB = await cloud.connectSite(B, cloud.site(B).agent, '_INBOX_agent');
    for (const [agent, account] of [[agentA, accountA] as const, [agentB, accountB] as const]) {
      await agent.request('$JS.API.STREAM.CREATE.DESIRED', desiredStream(account), { timeout: 10_000 });
    }
    witness(admin, seenInCloud);
    witness(agentA, seenByA);
    witness(agentB, seenByB);
  }, 60_000);

  afterAll(async () => {
    await cloud?.stop();
  });

  test('each site receives its own desired objects and is answered on its uplink', async () => {
    await store('desired.aa.workload.shop.web', 'for-a');
    await store('desired.bb.workload.shop.web', 'for-b');
    await until('desired at A', async () =>
      (await storedAt(agentA)).includes('desired.aa.workload.shop.web'),
    );
    await until('desired at B', async () =>
      (await storedAt(agentB)).includes('desired.bb.workload.shop.web'),
    );
    expect((await agentA.request('up.obs.x', '', { timeout: 10_000 })).string()).toBe('accepted');
    expect(intake).toContain(`ing.${accountA}.obs.x`);
    expect((await agentA.request('rpc.ping', '', { timeout: 10_000 })).string()).toBe('pong');
  });

  test('reads nothing of what another site is to run', async () => {
    await store('desired.bb.secret.shop.key', 'B-SECRET');
    await until('secret at B', async () => (await storedAt(agentB)).includes('desired.bb.secret.shop.key'));
    expect(await storedAt(agentA)).not.toContain('desired.bb.secret.shop.key');
    expect(seenByA.filter((line) => line.includes('B-SECRET'))).toEqual([]);
    const directly = { last_by_subj: 'desired.bb.secret.shop.key' };
    const calls = ['DIRECT.GET.DL', 'STREAM.MSG.GET.DL', 'DIRECT.GET.DL.desired.bb.secret.shop.key'];
    await expectNoAnswers(
      agentA,
      calls.map((call) => `$JS.hub.API.${call}`),
      JSON.stringify(directly),
    );
  });

  test('cannot ask, create or delete anything at the JetStream of the control plane', async () => {
    const wanted = ['INFO', 'STREAM.LIST', 'STREAM.NAMES', 'STREAM.INFO.DL', 'STREAM.INFO.KV_workloads'];
    const harmful = ['STREAM.DELETE.DL', 'STREAM.PURGE.KV_workloads', `CONSUMER.DELETE.DL.${accountB}`];
    const created = [
      'STREAM.CREATE.STOLEN',
      'CONSUMER.CREATE.DL.x',
      `CONSUMER.DURABLE.CREATE.DL.${accountA}`,
    ];
    const resets = [`CONSUMER.RESET.DL.${accountB}`, `CONSUMER.RESET.KV_workloads.${accountA}`];
    await expectNoAnswers(agentA, [
      ...wanted.concat(harmful, created).map((call) => `$JS.hub.API.${call}`),
      ...resets.map((call) => `JSC.API.${call}`),
    ]);
    const streams = await admin.request('$JS.API.STREAM.NAMES', '', { timeout: 10_000 });
    expect(streams.json()).toMatchObject({ streams: ['DL', 'KV_workloads'] });
    const consumer = await admin.request(`$JS.API.CONSUMER.INFO.DL.${accountB}`, '', { timeout: 10_000 });
    expect(consumer.json()).toMatchObject({ name: accountB });
  });

  test('reads nothing of the system account and cannot push claims', async () => {
    const claims = cloud.siteClaims(A);
    const calls = ['SERVER.PING', 'SERVER.PING.VARZ', `ACCOUNT.${accountB}.CONNZ`, 'CLAIMS.LIST'];
    await expectNoAnswers(
      agentA,
      calls.map((call) => `$SYS.REQ.${call}`),
    );
    await expectNoAnswers(agentA, ['$SYS.REQ.CLAIMS.UPDATE'], claims);
  });

  describe('with a leaf node of its own making', () => {
    let attacker: LeafAttacker;
    beforeAll(async () => {
      attacker = await LeafAttacker.connect(await stolen());
      for (const subject of [
        '>',
        'dl.>',
        'desired.>',
        'ing.>',
        'rpc.>',
        '$KV.>',
        '$JS.>',
        '$SYS.>',
        '_R_.>',
      ]) {
        attacker.subscribe(subject);
      }
    });
    afterAll(() => attacker.close());

    test('cannot publish for another site, touch a bucket, or forge flow control', async () => {
      const from = seenInCloud.length;
      const subjects = [
        `ing.${accountB}.obs.evil`,
        `rpc.${accountB}.heartbeat`,
        `dl.${accountB}.d`,
        `dl.${accountB}.req.x`,
        'desired.bb.workload.shop.evil',
        '$KV.workloads.shop.evil',
        'skerry.cmd.workload.apply.shop.evil',
        'skerry.evt.workload.placed.shop.evil',
        `$JS.FC.DL.${accountB}.x`,
        '$JS.API.STREAM.DELETE.DL',
        `$JS.ACK.DL.${accountB}.1.1.1.1.1`,
        `$JS.API.CONSUMER.RESET.DL.${accountB}`,
        `up.${accountB}.x`,
      ];
      for (const subject of subjects) attacker.publish(subject, 'evil');
      await fence(attacker);
      // What did arrive carries the attacker's own account, put in by the server.
      const own = [`ing.${accountA}.`, `rpc.${accountA}.`];
      const arrived = seenInCloud.slice(from).filter((line) => line.includes('evil'));
      expect(arrived.filter((line) => !own.some((subject) => line.startsWith(subject)))).toEqual([]);
      expect(arrived).toContain(`ing.${accountA}.${accountB}.x evil`);
      expect(await storedAt(agentB)).not.toContain('desired.bb.workload.shop.evil');
    });

    test('cannot make the intake or the JetStream of the hub write elsewhere by a reply subject', async () => {
      const from = seenInCloud.length;
      const fromB = seenByB.length;
      const replies = [
        `ing.${accountB}.evil`,
        `dl.${accountB}.d`,
        `dl.${accountB}.req.evil`,
        `rpc.${accountB}.evil`,
        'desired.bb.workload.shop.evil',
        '$KV.workloads.shop.evil',
        'skerry.cmd.workload.rm.shop.evil',
        '$JS.API.STREAM.DELETE.DL',
        `$JS.API.CONSUMER.DELETE.DL.${accountB}`,
        `$JS.FC.DL.${accountB}.evil`,
      ];
      for (const reply of replies) {
        attacker.publish(`ing.${accountA}.obs.trick`, '', reply);
        attacker.publish('up.obs.trick', '', reply);
        attacker.publish('rpc.ping', '', reply);
        attacker.publish(`JSC.API.CONSUMER.RESET.DL.${accountA}`, '', reply);
        attacker.publish(`$JS.FC.DL.${accountA}.x`, '', reply);
      }
      await fence(attacker);
      const touched = seenInCloud.slice(from).map((line) => line.split(' ')[0] ?? '');
      expect(touched.filter((subject) => replies.includes(subject))).toEqual([]);
      expect(intake).toContain(`ing.${accountA}.obs.trick`);
      await agentB.request('up.obs.y', '', { timeout: 10_000 });
      // What B's own server says of B's own requests is nobody's trick.
      expect(
        seenByB.slice(fromB).filter((line) => !/^(up\.obs\.y|_INBOX|\$JS\.EVENT\.ADVISORY\.API )/.test(line)),
      ).toEqual([]);
      expect(await streamMessages('DL')).toContain('desired.bb.workload.shop.web');
      expect(await streamMessages('DL')).not.toContain('desired.bb.workload.shop.evil');
      expect(await streamMessages('KV_workloads')).toEqual(['$KV.workloads.shop.web']);
    });

    test('hears nothing of the other site whatever it subscribes to', async () => {
      const before = attacker.text().length;
      await store('desired.bb.secret.shop.late', 'B-LATE');
      await until('late at B', async () => (await storedAt(agentB)).includes('desired.bb.secret.shop.late'));
      await agentB.request('up.obs.secret', 'B-UP', { timeout: 10_000 });
      await fence(attacker);
      expect(attacker.text().slice(before)).not.toMatch(/B-LATE|B-UP|obs\.secret/);
    });
  });

  test('cannot use the credentials of the leaf connection as an ordinary client', async () => {
    const { creds } = await stolen();
    await expect(cloud.connectHub(creds)).rejects.toThrow(/authorization/i);
  });

  test('cannot connect with the credentials alone, without the certificate of the site', async () => {
    const { certificate: _none, ...rest } = await stolen();
    await expect(LeafAttacker.connect(rest)).rejects.toThrow(/certificate required/i);
  });

  test('cannot give itself credentials: a token signed by its own keys is refused', async () => {
    const user = NKey.create('user');
    const own = NKey.create('account');
    const issuedAtMs = Date.now();
    for (const issuer of [own, cloud.operator]) {
      const forged = { name: 'x', user: user.publicKey, account: accountB, issuer, issuedAtMs };
      const creds = credsText(siteUserJwt(forged), user);
      await expect(LeafAttacker.connect({ ...(await stolen()), creds })).rejects.toThrow(/Authorization/);
    }
  });

  test('cannot alter the control plane through the user of the site that only reads', async () => {
    const reader = await cloud.connectSite(A, cloud.site(A).reader, '_INBOX_reader');
    const info = await reader.request('$JS.API.STREAM.INFO.DESIRED', '', { timeout: 10_000 });
    expect(info.json()).toMatchObject({ config: { name: 'DESIRED' } });
    for (const subject of ['up.obs.x', 'rpc.ping', '$JS.API.STREAM.DELETE.DESIRED', '$KV.any.key']) {
      await expect(reader.request(subject, '', { timeout: 5_000 })).rejects.toThrow(/permissions violation/i);
    }
    expect(await storedAt(agentA)).toContain('desired.aa.workload.shop.web');
  });

  test('neither hears nor reaches, from the hub or from its own site, what applications say at a site', async () => {
    const local = await cloud.connectSite(B, cloud.site(B).local, '_INBOX_agent');
    const user = NKey.create('user');
    const who = { name: 'x', user: user.publicKey, account: accountB, issuer: cloud.siteSigner };
    const jwt = adminUserJwt({ ...who, issuedAtMs: Date.now() });
    const atHub = await cloud.connectHub(credsText(jwt, user), '_INBOX_x');
    const attacker = await LeafAttacker.connect(await stolen());
    const [heardAtHub, heardInLocal]: [string[], string[]] = [[], []];
    witness(atHub, heardAtHub);
    witness(local, heardInLocal);
    for (const subject of ['>', 'app.>', '_INBOX.>']) attacker.subscribe(subject);
    for (const connection of [local, atHub]) await connection.flush();
    const before = attacker.text().length;
    const [cloudBefore, bBefore] = [seenInCloud.length, seenByB.length];
    for (const subject of ['app.shop.web.bb.0.cart.get', '_INBOX.shop.web.bb.0.x', 'up.app', 'rpc.ping'])
      local.publish(subject, 'OF-LOCAL');
    await local.flush();
    for (const connection of [atHub, agentB]) {
      connection.publish('app.shop.web.bb.0.cart.get', 'FROM-OUTSIDE');
      connection.publish('$SYS.REQ.USER.AUTH', 'FROM-OUTSIDE');
    }
    attacker.publish('app.shop.web.bb.0.cart.get', 'FROM-OUTSIDE');
    await fence(attacker);
    await atHub.flush();
    expect((await agentB.request('up.obs.after', '', { timeout: 10_000 })).string()).toBe('accepted');
    await local.flush();
    expect(heardInLocal.filter((line) => line.includes('OF-LOCAL'))).toHaveLength(4);
    expect(heardInLocal.filter((line) => line.includes('FROM-OUTSIDE'))).toEqual([]);
    const outside = [...heardAtHub, ...seenInCloud.slice(cloudBefore), ...seenByB.slice(bBefore)];
    expect(outside.filter((line) => line.includes('OF-LOCAL'))).toEqual([]);
    expect(attacker.text().slice(before)).not.toContain('OF-LOCAL');
    attacker.close();
  });

  async function stolen(): Promise<Parameters<typeof LeafAttacker.connect>[0]> {
    const { credsFile, tls } = cloud.site(A);
    const creds = await readFile(credsFile, 'utf8');
    return { port: cloud.leafPort, creds, certificate: tls, caFile: tls.caFile };
  }

  /** After this, everything that the attacker sent before has been handled by the hub. */
  async function fence(attacker: LeafAttacker): Promise<void> {
    const subject = `fence.n${++fences}`;
    attacker.publish(`ing.${accountA}.${subject}`, '');
    attacker.publish(`up.${subject}`, '');
    await until('fence', () => intake.includes(`ing.${accountA}.${subject}`));
    await admin.flush();
  }

  async function startControlPlane(): Promise<void> {
    for (const [name, subjects] of [
      ['DL', ['desired.*.>']],
      ['KV_workloads', ['$KV.workloads.>']],
    ] as const) {
      await api(`STREAM.CREATE.${name}`, { name, subjects, max_msgs_per_subject: 1, allow_direct: true });
    }
    for (const [site, account] of [[A, accountA] as const, [B, accountB] as const]) {
      await api(`CONSUMER.DURABLE.CREATE.DL.${account}`, downlinkConsumer(site, account));
    }
    await store('$KV.workloads.shop.web', '{}');
    admin.subscribe('ing.*.>', {
      queue: 'inventory',
      callback: (_error, message) => {
        intake.push(message.subject);
        message.respond('accepted');
      },
    });
    admin.subscribe('rpc.*.ping', { callback: (_error, message) => void message.respond('pong') });
    await admin.flush();
  }

  async function api(call: string, body: unknown): Promise<void> {
    const answer = await admin.request(`$JS.API.${call}`, JSON.stringify(body), { timeout: 10_000 });
    expect(answer.json()).not.toHaveProperty('error');
  }

  async function store(subject: string, body: string): Promise<void> {
    const ack = await admin.request(subject, body, { timeout: 10_000 });
    expect(ack.json()).not.toHaveProperty('error');
  }

  async function storedAt(agent: NatsConnection): Promise<string[]> {
    return await subjectsOf(agent, 'DESIRED');
  }

  async function streamMessages(stream: string): Promise<string[]> {
    return await subjectsOf(admin, stream);
  }
});

describe('a site that is cut off by the hub', () => {
  let cloud: SecuredCloud;
  let system: NatsConnection;
  beforeAll(async () => {
    cloud = await SecuredCloud.start([A]);
    system = await cloud.connectSystem({
      pub: ['$SYS.REQ.CLAIMS.UPDATE', '$SYS.REQ.CLAIMS.DELETE'],
      sub: ['_INBOX_system.>'],
    });
  }, 60_000);
  afterAll(async () => {
    await cloud?.stop();
  });

  async function push(claims: string): Promise<void> {
    const answer = await system.request('$SYS.REQ.CLAIMS.UPDATE', claims, { timeout: 10_000 });
    expect(answer.json()).toMatchObject({ data: { code: 200 } });
  }

  test('is disconnected at once, stays out with a newer token too, and returns when let in', async () => {
    await push(cloud.siteClaims(A, { suspended: true }));
    await until('leaf gone', async () => (await cloud.leafCount()) === 0);
    const { leafUser, account, credsFile } = cloud.site(A);
    const who = { name: A, user: leafUser.publicKey, account, issuer: cloud.siteSigner };
    await writeCreds(credsFile, siteUserJwt({ ...who, issuedAtMs: Date.now() + 5_000 }), leafUser);
    const refusals = await countRefusals(cloud);
    await until('two more refusals', async () => (await countRefusals(cloud)) >= refusals + 2);
    expect(await cloud.leafCount()).toBe(0);
    await push(cloud.siteClaims(A));
    await until('leaf back', async () => (await cloud.leafCount()) === 1);
  });

  test('is put out when its token ends, and returns with a new one without a restart', async () => {
    const { leafUser, account, credsFile } = cloud.site(A);
    const who = { name: A, user: leafUser.publicKey, account, issuer: cloud.siteSigner };
    const times = { issuedAtMs: Date.now(), expiresAtMs: Date.now() + 6_000 };
    await writeCreds(credsFile, siteUserJwt({ ...who, ...times }), leafUser);
    await push(cloud.siteClaims(A, { suspended: true }));
    await until('leaf gone', async () => (await cloud.leafCount()) === 0);
    await push(cloud.siteClaims(A));
    await until('leaf back', async () => (await cloud.leafCount()) === 1);
    await until('leaf expired', async () => (await cloud.log('hub')).includes('Authentication Expired'));
    await writeCreds(credsFile, siteUserJwt({ ...who, issuedAtMs: Date.now() }), leafUser);
    await until('leaf renewed', async () => (await cloud.leafCount()) === 1);
    expect(await cloud.log(A)).not.toMatch(/Server Exiting/);
  });
});

async function countRefusals(cloud: SecuredCloud): Promise<number> {
  return (await cloud.log(A)).split(/Leafnode Error/).length - 1;
}

function witness(connection: NatsConnection, lines: string[]): void {
  const note = (subject: string, body: string): void => void lines.push(`${subject} ${body.slice(0, 40)}`);
  connection.subscribe('>', { callback: (_error, message) => note(message.subject, message.string()) });
}

/** All asked at once: each waits its time in vain. */
async function expectNoAnswers(
  connection: NatsConnection,
  subjects: readonly string[],
  body = '',
): Promise<void> {
  const answers = subjects.map(async (subject) => {
    const refused = await connection.request(subject, body, { timeout: 500 }).catch(String);
    return `${subject}: ${typeof refused === 'string' ? refused : `answered ${refused.string()}`}`;
  });
  for (const answer of await Promise.all(answers)) expect(answer).toMatch(/no responders|timeout/i);
}

async function subjectsOf(connection: NatsConnection, stream: string): Promise<string[]> {
  const body = JSON.stringify({ subjects_filter: '>' });
  const answer = await connection.request(`$JS.API.STREAM.INFO.${stream}`, body, { timeout: 10_000 });
  const info: { state?: { subjects?: Record<string, number> } } = answer.json();
  return Object.keys(info.state?.subjects ?? {}).toSorted();
}

function downlinkConsumer(site: string, account: string): unknown {
  const delivery = { deliver_subject: `dl.${account}.d`, deliver_policy: 'last_per_subject' };
  const flow = { ack_policy: 'flow_control', flow_control: true, idle_heartbeat: 1e9, max_deliver: -1 };
  const filter = { filter_subject: `desired.${site}.>`, replay_policy: 'instant' };
  return {
    stream_name: 'DL',
    config: { durable_name: account, name: account, ...delivery, ...flow, ...filter },
  };
}

function desiredStream(account: string): string {
  const consumer = { name: account, deliver_subject: 'dl.d' };
  const source = { name: 'DL', external: { api: 'JSC.API', deliver: '' }, consumer };
  const keep = { max_msgs_per_subject: 1, allow_direct: true, num_replicas: 1, storage: 'file' };
  return JSON.stringify({ name: 'DESIRED', retention: 'limits', ...keep, sources: [source] });
}
