import { randomBytes } from 'node:crypto';
import { type Bucket } from '@skerry/bus';
import {
  BUCKETS,
  cutOffRequestSchema,
  nodeSchema,
  observedSchema,
  pingAnswerSchema,
  RPC,
  SITE,
  siteStateSchema,
  STREAMS,
  type CutOffRequest,
  type Node,
  type SiteState,
} from '@skerry/contracts';
import type { FakeSite } from './fake-site.js';
import { HubLab, type AppProcess } from './hub-lab.js';
import { report, until, version } from './nouns.js';

const NAMES = ['a', 'b', 'c', 'd'];
const TIMES = {
  SKERRY_SUSPECT_AFTER_MS: '1500',
  SKERRY_LOST_AFTER_MS: '2500',
  SKERRY_REGAIN_GRACE_MS: '500',
};

let lab: HubLab;
let inventory: AppProcess;
let states: Bucket<SiteState>;
const sites = new Map<string, FakeSite>();
const cutOffs: CutOffRequest[] = [];

const fake = (name: string): FakeSite => {
  const found = sites.get(name);
  if (found === undefined) throw new Error(`no site ${name}`);
  return found;
};
const phaseOf = async (name: string) => (await states.get(name))?.value.phase;
const is = (name: string, phase: SiteState['phase']) =>
  until(`${name} is ${phase}`, async () => (await phaseOf(name)) === phase);
const ping = async (name: string) =>
  pingAnswerSchema.parse((await fake(name).bus.request(SITE.ping, {})).json());
const said = (type: string, subject: string) =>
  lab.events.filter((e) => e.type === `dev.skerry.${type}.v1` && e.subject === subject);
const id = () => randomBytes(16).toString('hex');

/** The newest report stored on a subject. */
async function stored(site: string, name: string) {
  const subject = `observed.${site}.workload.shop.${name}`;
  let found: ReturnType<typeof observedSchema.parse> | undefined;
  const following = await lab.admin.follow(
    STREAMS.OBSERVED.name,
    (m) => {
      found = observedSchema.parse(m.json());
    },
    { filters: [subject] },
  );
  await following.caughtUp;
  await following.drain();
  return found;
}

beforeAll(async () => {
  lab = await HubLab.start(NAMES);
  inventory = await lab.startApp('inventory', TIMES);
  states = lab.admin.bucket(BUCKETS.siteStates, (v) => siteStateSchema.parse(v));
  for (const name of NAMES) sites.set(name, await lab.fakeSite(name));
  // What policy would do.
  lab.admin.respond(RPC.cutOff, (m) => {
    cutOffs.push(cutOffRequestSchema.parse(m.json()));
    return { suspendedUntil: new Date().toISOString() };
  });
}, 60_000);
afterAll(() => lab.stop());

describe('who is there', () => {
  it('is ready once it is heard, with the capacity it told', async () => {
    for (const name of NAMES) fake(name).beat();
    for (const name of NAMES) await is(name, 'ready');
    const state = (await states.get('a'))?.value;
    expect(state?.capacity.shapes).toHaveLength(1);
    await until('it is said', () => said('site.ready', 'a').length === 1);
  });

  it('is written again when it tells another capacity, without another event', async () => {
    fake('a').silence();
    const shape = { nodes: 2, cpuMillicores: 9, memoryMiB: 9, diskMiB: 9, gpus: 8, gpuModel: 'A100' };
    const capacity = { shapes: [shape], drivers: [] };
    fake('a').beat({ capacity, nodes: 2 });
    await until('it is written', async () => (await states.get('a'))?.value.nodes === 2);
    expect((await states.get('a'))?.value).toMatchObject({ phase: 'ready', capacity });
  });

  it('is suspect, then lost when it falls silent, and ready again when it is heard; each said once', async () => {
    const told = () => ['ready', 'suspect', 'lost'].map((phase) => said(`site.${phase}`, 'a').length);
    const [ready = 0, suspect = 0, lost = 0] = told();
    fake('a').silence();
    await is('a', 'suspect');
    await is('a', 'lost');
    const leaselessMs = performance.now() - fake('a').leaseAskedAt;
    // It can still ask, and is told that the hub is there, and no more.
    expect(await ping('a')).toMatchObject({ lease: false, losses: 1 });
    const { silentMs = 0, losses } = (await states.get('a'))?.value ?? {};
    expect(losses).toBe(1);
    // It went on asking though it did not beat, and so had a lease until then.
    expect(silentMs).toBeLessThanOrEqual(leaselessMs);
    fake('a').beat();
    await is('a', 'ready');
    // What is written is known to who wrote it a moment later.
    await until('it is given a lease', async () => (await ping('a')).lease === true);
    expect(await ping('a')).toMatchObject({ lease: true, losses: 1 });
    expect((await states.get('a'))?.value).not.toHaveProperty('silentMs');
    await until('all is said', () => told()[0] === ready + 1);
    expect(told()).toEqual([ready + 1, suspect + 1, lost + 1]);
  });

  it('is judged on by another instance when the active one is killed', async () => {
    const second = await lab.startApp('inventory', TIMES);
    // Both hear every ping; the active one's answer is first.
    for (let i = 0; i < 5; i += 1) expect(await ping('c')).toMatchObject({ lease: true, losses: 0 });
    await lab.end(inventory);
    expect(await ping('c')).toMatchObject({ lease: false });
    inventory = second;
    fake('b').silence();
    await is('b', 'lost');
    expect(said('site.lost', 'c')).toEqual([]);
    await is('c', 'ready');
    fake('b').beat();
    await is('b', 'ready');
  });

  it('stays as it was when most fall silent at once, with an alarm', async () => {
    for (const name of ['a', 'b', 'c']) fake(name).silence();
    await until('the alarm is said', () => said('inventory.alarmed', 'inventory').length === 1);
    for (const name of ['a', 'b', 'c']) expect([name, await phaseOf(name)]).not.toEqual([name, 'lost']);
    await until('the brake is seen', async () => (await states.get('b'))?.value.held?.by === 'brake');
    for (const name of ['a', 'b', 'c']) fake(name).beat();
    for (const name of ['a', 'b', 'c']) await is(name, 'ready');
    await until('and that it is let go', async () => (await states.get('b'))?.value.held === undefined);
  });

  it('believes no heartbeat that names another site', async () => {
    fake('a').silence();
    const lie = setInterval(
      () => fake('d').bus.say(SITE.heartbeat, { ...fake('d').lastBeat, site: 'a' }),
      300,
    );
    await is('a', 'lost').finally(() => clearInterval(lie));
    fake('a').beat();
    await is('a', 'ready');
  });
});

describe('the intake', () => {
  it('says ok when a report is stored', async () => {
    expect(await fake('a').report(report('web', 'a', version(1, 1)))).toEqual({ ok: true });
    expect(await stored('a', 'web')).toMatchObject({
      site: 'a',
      name: 'web',
      replicas: [{ phase: 'running' }],
    });
  });

  it('files what a site says of its nodes', async () => {
    const node: Node = {
      kind: 'Node',
      site: 'a',
      node: 'n1',
      agentVersion: '1',
      os: 'linux',
      arch: 'x64',
      allocatable: { cpuMillicores: 1, memoryMiB: 1, diskMiB: 1, gpus: 2, gpuModel: 'A100' },
      drivers: ['mock'],
      cgroup: 'none',
      address: '127.0.0.1',
      bootId: 'boot',
      startedAt: '2026-01-01T00:00:00.000Z',
      reportedAt: '2026-01-01T00:00:00.000Z',
      report: 1,
    };
    expect(await fake('a').report(node)).toEqual({ ok: true });
    const nodes = lab.admin.bucket(BUCKETS.nodes, (v) => nodeSchema.parse(v));
    await until('the node is filed', async () => (await nodes.get('a.n1'))?.value.address === '127.0.0.1');
  });

  it.each<[string, string, object]>([
    ['about another site', 'up.workload.shop.web', report('web', 'b', version(1, 1))],
    ['about something else than its subject', 'up.workload.shop.other', report('web', 'a', version(1, 1))],
    ['of another shape', 'up.workload.shop.web', { kind: 'Observed', replicas: 'many' }],
    ['of an unknown kind', 'up.secret._.x', {}],
    ['on a subject with too many parts', 'up.workload.shop.web.more', report('web', 'a', version(1, 1))],
  ])('refuses a report %s, for good', async (_what, subject, body) => {
    expect(await fake('a').send(subject, body, id())).toMatchObject({ ok: false, code: 'refused' });
  });

  it('stores a report that is sent twice once', async () => {
    const twice = id();
    await fake('a').report(report('twice', 'a', version(1, 1)), twice);
    const before = (await lab.admin.streamState(STREAMS.OBSERVED.name))?.lastSequence;
    expect(await fake('a').report(report('twice', 'a', version(1, 1)), twice)).toEqual({ ok: true });
    expect((await lab.admin.streamState(STREAMS.OBSERVED.name))?.lastSequence).toBe(before);
  });

  it('lets no site suppress another’s report by taking its message id', async () => {
    const taken = id();
    await fake('b').report(report('mine', 'b', version(1, 1)), taken);
    expect(await fake('a').report(report('mine', 'a', version(1, 1)), taken)).toEqual({ ok: true });
    expect(await stored('a', 'mine')).toMatchObject({ site: 'a' });
  });

  it('clears away what a removed site left, and takes nothing more from it', async () => {
    await fake('d').report(report('left', 'd', version(1, 1)));
    await lab.putSite('d', { membership: 'removed', generation: 2 });
    await is('d', 'left');
    expect(await stored('d', 'left')).toBeUndefined();
    expect(await fake('d').report(report('left', 'd', version(1, 1)))).toMatchObject({ code: 'refused' });
  });

  it('asks a site that floods to wait, has it cut off, and goes on taking from the others', async () => {
    const big = Buffer.alloc(200_000, 'x');
    for (let i = 0; i < 5_000 && cutOffs.length === 0; i += 1) {
      fake('c').bus.say('up.workload.shop.flood', big);
      if (i % 10 === 0) await new Promise((tick) => setTimeout(tick, 25));
    }
    await until('it is cut off', () => cutOffs.length > 0);
    expect(cutOffs[0]).toMatchObject({ site: 'c', account: lab.cloud.site('c').account, forMs: 60_000 });
    expect(await fake('c').report(report('more', 'c', version(1, 1)))).toMatchObject({ code: 'throttled' });
    expect(await fake('a').report(report('calm', 'a', version(1, 1)))).toEqual({ ok: true });
  }, 60_000);
});
