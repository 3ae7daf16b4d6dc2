import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import type { Bus, Following } from '@skerry/bus';
import {
  BUCKETS,
  commandSubject,
  eventFilter,
  joinAnswerSchema,
  joinTicketAnswerSchema,
  outcomeSchema,
  quotaSchema,
  RPC,
  siteDescriptionSchema,
  siteSchema,
  workloadDocumentSchema,
  workloadSchema,
  type Actor,
  type Command,
  type CommandBody,
  type CommandOutcome,
  type JoinAnswer,
  type Site,
} from '@skerry/contracts';
import { makeApiToken, NKey, signRenewal, writePrivateFile } from '@skerry/identity';
import { Hub, makeMachine, type Machine } from './hub.js';
import { until } from './plain-server.js';

const PROGRAM = resolve(import.meta.dirname, '../../apps/policy/dist/main.js');
const ADMIN: Actor = { subject: 'test', role: 'admin' };

let hub: Hub;
let api: Bus;
let following: Following;
const outcomes = new Map<string, CommandOutcome>();

function startPolicy(instance: string, more: Record<string, string> = {}) {
  return hub.run([PROGRAM], {
    SKERRY_NATS_URL: hub.url,
    SKERRY_NATS_CREDS: hub.creds('policy'),
    SKERRY_SYS_CREDS: hub.creds('policy-sys'),
    SKERRY_IDENTITY_DIR: hub.identityDir,
    SKERRY_BOOTSTRAP_FILE: join(hub.identityDir, 'bootstrap.json'),
    SKERRY_LEAF_URLS: `tls://127.0.0.1:${hub.ports.leaf}`,
    SKERRY_RENEW_URL: 'https://127.0.0.1:1',
    SKERRY_INSTANCE: instance,
    ...more,
  });
}

async function started(policy: { output: () => string }): Promise<void> {
  const told = () => policy.output().includes('"message":"started"');
  await until(told, 'policy has started', 15_000).catch((cause: unknown) => {
    throw new Error(`policy has not started: ${policy.output().slice(-3_000)}`, { cause });
  });
}

function document(name: string, spec: Record<string, unknown> = {}, project = 'shop') {
  return workloadDocumentSchema.parse({
    apiVersion: 'skerry/v1',
    kind: 'Workload',
    metadata: { name, project },
    spec: { run: { command: ['node', 'server.mjs'] }, ...spec },
  });
}

function commandOf(body: CommandBody, more: Partial<Command> = {}): Command {
  const requestId = randomBytes(16).toString('hex');
  return { kind: 'Command', requestId, actor: ADMIN, sentAt: new Date().toISOString(), body, ...more };
}

async function send(command: Command): Promise<void> {
  await api.publish(commandSubject(command.body.verb), command, { messageId: command.requestId });
}

async function ask(body: CommandBody, more: Partial<Command> = {}): Promise<CommandOutcome> {
  const command = commandOf(body, more);
  await send(command);
  return until(() => outcomes.get(command.requestId), `an outcome of ${body.verb}`);
}

const apply = (...documents: ReturnType<typeof document>[]) => ask({ verb: 'workload.apply', documents });

async function site(name: string): Promise<Site | undefined> {
  return (await api.bucket(BUCKETS.siteSpecs, (v) => siteSchema.parse(v)).get(name))?.value;
}

async function workload(name: string, project = 'shop') {
  const bucket = api.bucket(BUCKETS.workloads, (v) => workloadSchema.parse(v));
  return (await bucket.get(`${project}.${name}`))?.value;
}

beforeAll(async () => {
  hub = await Hub.start();
  const { record } = makeApiToken({
    subject: 'x',
    role: 'admin',
    nowMs: Date.now(),
    expiresAtMs: Date.now() + 1e6,
  });
  const founded = {
    description: { name: 'founded', location: { lat: 50, lon: 8 } },
    account: NKey.create('account').publicKey,
    userKey: NKey.create('user').publicKey,
  };
  const quotas = [{ kind: 'Quota', project: 'small', replicas: 3 }];
  const bootstrap = { tokens: [record], sites: [founded], quotas };
  await writePrivateFile(join(hub.identityDir, 'bootstrap.json'), JSON.stringify(bootstrap));
  await started(startPolicy('one'));
  api = await hub.bus('api');
  const bucket = api.bucket(BUCKETS.outcomes, (v) => outcomeSchema.parse(v));
  following = await bucket.follow((change) => {
    if (change.kind === 'put') outcomes.set(change.key, change.value);
  });
});
afterAll(async () => {
  await following?.drain();
  await hub?.stop();
});

describe('policy', () => {
  test('commits what is admitted and answers by request id; the same again changes nothing', async () => {
    expect(await apply(document('web'))).toMatchObject({
      ok: true,
      changes: [{ change: 'created', generation: 1 }],
    });
    expect(await apply(document('web'))).toMatchObject({
      ok: true,
      changes: [{ change: 'unchanged', generation: 1 }],
    });
    const users = { placement: { users: [{ country: 'DE' }, { city: 'Tokyo' }] } };
    expect(await apply(document('web', users))).toMatchObject({
      ok: true,
      changes: [{ change: 'updated', generation: 2 }],
    });
    const { demand = [], generation } = (await workload('web')) ?? {};
    expect(generation).toBe(2);
    expect(demand.at(-1)).toMatchObject({ label: 'Tokyo, JP', weight: 0.5 });
    expect(demand).toHaveLength(21);
  });

  test('applies all documents of a command or none, and names every problem', async () => {
    const bad = [
      document('all-1'),
      document('all-2', { placement: { users: [{ city: 'Atlantyxis' }] } }),
      document('all-3', { type: 'job', run: { command: ['x'], restart: { policy: 'always' } } }),
    ];
    const refused = await apply(...bad);
    expect(refused).toMatchObject({ ok: false, code: 'invalid' });
    expect(refused.ok ? [] : refused.issues.map((i) => i.path)).toEqual([
      '[doc 1] all-2: spec.placement.users[0].city',
      '[doc 2] all-3: spec.run.restart.policy',
    ]);
    expect(await workload('all-1')).toBeUndefined();
    expect((await apply(document('all-1'), document('all-2'))).ok).toBe(true);
    expect(await workload('all-2')).toMatchObject({ generation: 1 });
  });

  test('keeps within a quota of the project', async () => {
    const three = { placement: { replicas: 3 } };
    expect((await apply(document('a', three, 'small'))).ok).toBe(true);
    const over = () => apply(document('b', {}, 'small'));
    await until(async () => !(await over()).ok, 'the quota is full');
    expect(await over()).toMatchObject({
      code: 'over-quota',
      issues: [{ path: 'quota.small.replicas', allowed: 'at most 3 (in use 3)' }],
    });
  });

  test('has a quota changed by command, and the bootstrap file of the next start does not undo it', async () => {
    const limits = { replicas: 4 };
    expect(await ask({ verb: 'quota.set', project: 'small', limits })).toMatchObject({
      changes: [{ noun: 'quota', name: 'small', change: 'updated', generation: 2 }],
    });
    const next = startPolicy('next');
    await started(next);
    const bucket = api.bucket(BUCKETS.policies, (v) => quotaSchema.parse(v));
    expect((await bucket.get('quota.small'))?.value).toMatchObject({ replicas: 4, generation: 2 });
    await hub.end(next.child, 'SIGTERM');
    expect((await apply(document('b', {}, 'small'))).ok).toBe(true);
  });

  test('tells each change once as an event', async () => {
    const seen: string[] = [];
    const events = await api.follow(
      'EVT',
      (m) => {
        const body = m.json();
        if (typeof body === 'object' && body !== null && 'id' in body) seen.push(String(body.id));
      },
      { filters: [eventFilter()] },
    );
    await apply(document('told'));
    await ask({ verb: 'quota.set', project: 'told', limits: { replicas: 9 } });
    await ask({ verb: 'workload.stop', project: 'shop', name: 'told' });
    await ask({ verb: 'workload.remove', project: 'shop', name: 'told' });
    const refused = await ask({ verb: 'workload.stop', project: 'shop', name: 'told' });
    expect(refused).toMatchObject({ ok: false, code: 'not-found' });
    const wanted = [
      'workload.admitted/shop/told/1',
      'workload.removed/shop/told/3',
      `command.rejected/${refused.requestId}/1`,
      'site.joined/founded/1',
      'quota.changed/small/2',
      'quota.changed/told/1',
    ];
    await until(() => wanted.every((id) => seen.includes(id)), 'the events');
    expect(new Set(seen).size).toBe(seen.length);
    await events.drain();
  });

  test('lets an older command that comes late change nothing', async () => {
    await apply(document('late'));
    const bus = await hub.bus('admin');
    const first = await workload('late');
    if (!first) throw new Error('no workload');
    // As if a newer command had been applied before the one that now arrives.
    const bucket = bus.bucket(BUCKETS.workloads, (v) => workloadSchema.parse(v));
    const entry = await bucket.get('shop.late');
    await bucket.put('shop.late', { ...first, commandSequence: 1_000_000 }, entry?.revision ?? 0);
    const outcome = await ask({ verb: 'workload.scale', project: 'shop', name: 'late', replicas: 7 });
    expect(outcome).toMatchObject({
      ok: false,
      code: 'conflict',
      title: expect.stringContaining('superseded'),
    });
    expect((await workload('late'))?.spec.placement.replicas).toBe(1);
  });

  test('keeps every acknowledged command when an instance is killed in the middle of 200', async () => {
    const doomed = startPolicy('two');
    await started(doomed);
    const commands = Array.from({ length: 200 }, (_, n) =>
      commandOf({ verb: 'workload.apply', documents: [document(`many-${n}`)] }),
    );
    const sending = Promise.all(commands.map(send));
    await until(() => outcomes.has(commands[20]?.requestId ?? ''), 'the first are decided');
    await hub.end(doomed.child);
    await sending;
    await until(() => commands.every((c) => outcomes.has(c.requestId)), 'all have an outcome', 20_000);
    const all = await Promise.all(commands.map((_, n) => workload(`many-${n}`)));
    expect(all.every((w) => w?.generation === 1)).toBe(true);
    expect(commands.every((c) => outcomes.get(c.requestId)?.ok)).toBe(true);
  });

  test('puts what is no command into the dead letters', async () => {
    const before = (await api.streamState('DEAD'))?.messages ?? 0;
    await api.publish(commandSubject('workload.apply'), { kind: 'Nonsense' });
    await until(async () => ((await api.streamState('DEAD'))?.messages ?? 0) === before + 1, 'a dead letter');
  });
});

describe('a site', () => {
  const description = siteDescriptionSchema.parse({ name: 'fjord', location: { lat: 60, lon: 5 } });
  let machine: Machine;
  let answer: JoinAnswer;
  let leaf: ChildProcess;

  const ticket = async () =>
    joinTicketAnswerSchema.parse((await api.request(RPC.joinTicket, { actor: ADMIN, site: 'fjord' })).json());
  const join = async (token: string, from: Machine) =>
    joinAnswerSchema.parse(
      (await api.request(RPC.join, { token, userKey: from.user.publicKey, csr: from.csr })).json(),
    );

  test('joins with a token once, with keys of its own', async () => {
    expect(await ask({ verb: 'site.add', site: description })).toMatchObject({ ok: true });
    machine = await makeMachine('fjord');
    const thief = await makeMachine('fjord');
    const { token } = await ticket();
    await expect(join(`${token.slice(0, -4)}AAAA`, machine)).rejects.toMatchObject({ code: 'unauthorized' });
    answer = await join(token, machine);
    expect(answer).toMatchObject({ site: 'fjord', account: (await site('fjord'))?.account });
    await expect(join(token, thief)).rejects.toMatchObject({
      code: 'unauthorized',
      message: expect.stringContaining('used before'),
    });
    // The answer may have been lost: the same machine may ask again.
    await expect(join(token, machine)).resolves.toMatchObject({ site: 'fjord' });
    await expect(ticket()).rejects.toMatchObject({ code: 'conflict' });
    expect(await site('fjord')).toMatchObject({ membership: 'joined' });
    leaf = await hub.startLeaf(answer, machine);
    expect(leaf.exitCode).toBeNull();
  });

  test('renews by its key and by no other', async () => {
    const renew = (user: NKey, nowMs = Date.now()) =>
      api.request(RPC.renew, signRenewal(user, { site: 'fjord', nowMs }));
    const renewed = joinAnswerSchema.parse((await renew(machine.user)).json());
    expect(renewed.userJwt).not.toBe('');
    expect(renewed.certificate).toBe('');
    await expect(renew(NKey.create('user'))).rejects.toMatchObject({ code: 'unauthorized' });
    await expect(renew(machine.user, Date.now() - 120_000)).rejects.toMatchObject({
      code: 'unauthorized',
      message: expect.stringContaining('clock'),
    });
  });

  test('is cut off within a second when it floods, and let in again by itself', async () => {
    const inventory = await hub.bus('inventory');
    const account = (await site('fjord'))?.account;
    const request = { site: 'fjord', account, forMs: 2_500, reason: 'floods' };
    const tookMs: number[] = [];
    // A machine that stands still for a moment costs one attempt.
    while (tookMs.length < 3 && !tookMs.some((ms) => ms < 1_000)) {
      const asked = performance.now();
      await inventory.request(RPC.cutOff, request);
      const answered = performance.now();
      await until(async () => (await hub.leafCount()) === 0, 'it is cut off');
      tookMs.push(performance.now() - answered);
      // It may be over by now when that took longer than it lasts.
      if (performance.now() - asked < request.forMs / 2)
        expect(await site('fjord')).toMatchObject({ suspendedUntil: expect.any(String) });
      await until(async () => (await hub.leafCount()) === 1, 'it is in again', 30_000);
      await until(async () => (await site('fjord'))?.suspendedUntil === undefined, 'that is on record');
    }
    expect(Math.min(...tookMs)).toBeLessThan(1_000);
  }, 120_000);

  test('that leaves is removed when it says its last word, and its name is never used again', async () => {
    await ask({ verb: 'site.remove', name: 'fjord' });
    expect(await site('fjord')).toMatchObject({ membership: 'leaving' });
    const account = (await site('fjord'))?.account;
    await (await hub.bus('inventory')).request(RPC.retired, { site: 'fjord', account });
    expect(await site('fjord')).toMatchObject({ membership: 'removed' });
    await until(async () => (await hub.leafCount()) === 0, 'its account is gone');
    const renewal = signRenewal(machine.user, { site: 'fjord', nowMs: Date.now() });
    await expect(api.request(RPC.renew, renewal)).rejects.toMatchObject({ code: 'unauthorized' });
    expect(await ask({ verb: 'site.add', site: description })).toMatchObject({
      ok: false,
      code: 'name-used',
    });
  });

  test('removed by force does not come back with the bootstrap file', async () => {
    await ask({ verb: 'site.remove', name: 'founded', force: true });
    await started(startPolicy('three'));
    expect(await site('founded')).toMatchObject({ membership: 'removed' });
  });
});

describe('the process', () => {
  test('names every variable that is wrong and ends with 78', async () => {
    const { child, output } = hub.run([PROGRAM], { SKERRY_HTTP_PORT: '99999', SKERRY_LOG: 'loud' });
    await until(() => child.exitCode !== null, 'it has ended');
    expect(child.exitCode).toBe(78);
    for (const name of [
      'SKERRY_NATS_URL',
      'SKERRY_HTTP_PORT',
      'SKERRY_LOG',
      'SKERRY_IDENTITY_DIR',
      'SKERRY_SYS_CREDS',
    ])
      await until(() => output().includes(`${name}: `), `it names ${name}`);
  });

  test('says which port is taken', async () => {
    const { child, output } = startPolicy('four', { SKERRY_HTTP_PORT: String(hub.ports.client) });
    await until(() => child.exitCode !== null, 'it has ended');
    expect(child.exitCode).toBe(78);
    const why = `SKERRY_HTTP_PORT: port ${hub.ports.client}`;
    await until(() => output().includes(why), 'it says why');
  });

  test('ends with 0 on SIGTERM', async () => {
    const policy = startPolicy('five');
    await started(policy);
    expect(await hub.end(policy.child, 'SIGTERM')).toBe(0);
  });
});
