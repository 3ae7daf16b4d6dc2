import type { Bus } from '@skerry/bus';
import {
  BUCKETS,
  LIVE_STATUS,
  RPC,
  siteStateSchema,
  statusListAnswerSchema,
  statusSchema,
  type SiteState,
  type Status,
} from '@skerry/contracts';
import { HubLab, type AppProcess } from './hub-lab.js';
import { placement, replica, report, until, version, workload } from './nouns.js';
import { startRedis, type RedisServer } from './redis.js';

let lab: HubLab;
let redis: RedisServer;
/** Who asks telemetry. */
let api: Bus;
let reports = 0;
const live: Status[] = [];

async function statusOf(name: string): Promise<Status | undefined> {
  const answer = await api.request(RPC.status, { project: 'shop', name }).catch(() => undefined);
  return answer && statusSchema.parse(answer.json());
}
const phase = (name: string, what: Status['phase'] | undefined) =>
  until(`${name} is ${what}`, async () => (await statusOf(name))?.phase === what);
const said = (name: string) =>
  lab.events.filter((e) => e.subject === `shop/${name}`).map((e) => e.type.split('.').slice(2, -1).join('.'));

/** What inventory would store of a site's report. */
async function observe(name: string, site: string, change: Parameters<typeof report>[3] = {}): Promise<void> {
  reports += 1;
  const body = report(name, site, version(1, 1), { report: reports, ...change });
  await lab.admin.publish(`observed.${site}.workload.shop.${name}`, body);
}

/** Everything that is listed, over all pages. */
async function listed(): Promise<{ seen: string[]; pages: number }> {
  const seen: string[] = [];
  let pages = 0;
  let after: string | undefined;
  do {
    const answer = await api.request(RPC.statusList, after === undefined ? {} : { after });
    const page = statusListAnswerSchema.parse(answer.json());
    seen.push(...page.items.map((s) => s.name));
    after = page.next;
    pages += 1;
  } while (after !== undefined);
  return { seen, pages };
}

async function putState(site: string, to: SiteState['phase'], revision: number): Promise<void> {
  const states = lab.admin.bucket(BUCKETS.siteStates, (v) => siteStateSchema.parse(v));
  await states.set(site, {
    kind: 'SiteState',
    site,
    phase: to,
    since: new Date().toISOString(),
    capacity: { shapes: [], drivers: [] },
    nodes: 1,
    revision,
  });
}

beforeAll(async () => {
  lab = await HubLab.start(['a', 'b']);
  redis = await startRedis();
  api = await lab.bus('api');
  // Its streams and buckets are needed, nothing else of it.
  await lab.end(await lab.startApp('inventory'), 'SIGTERM');
  lab.admin.listen(LIVE_STATUS, (m) => {
    live.push(statusSchema.parse(m.json()));
  });
  await putState('a', 'ready', 1);
  await putState('b', 'ready', 1);
}, 120_000);
afterAll(async () => {
  await lab.stop();
  await redis.stop();
});

describe.each<[string, () => Record<string, string>]>([
  ['in memory', () => ({})],
  ['in Redis', () => ({ REDIS_URL: redis.url })],
])('the read model %s', (where, env) => {
  const name = (text: string) => `${text}-${where.replaceAll(' ', '-').toLowerCase()}`;
  const apps: AppProcess[] = [];

  beforeAll(async () => {
    apps.push(await lab.startApp('telemetry', env()), await lab.startApp('telemetry', env()));
  }, 60_000);
  afterAll(async () => {
    for (const app of apps) await lab.end(app, 'SIGTERM');
  });

  it('follows a workload from placing to running to gone, and announces each phase once', async () => {
    const web = name('web');
    await lab.workloads.set(`shop.${web}`, workload(web));
    await phase(web, 'placing');
    await lab.decide(workload(web), placement(web, version(1, 1), { a: 1 }));
    await phase(web, 'starting');
    await until('starting is announced', () => said(web).includes('workload.starting'));
    await observe(web, 'a');
    await phase(web, 'running');
    await until('running is announced', () => said(web).includes('workload.running'));
    await lab.decide(workload(web, 2, { removed: true }), placement(web, version(2, 2), {}));
    await phase(web, 'stopping');
    await until('stopping it is said live', () => live.some((s) => s.name === web && s.phase === 'stopping'));
    await observe(web, 'a', { state: 'absent', replicas: [], wanted: 0, version: version(2, 2) });
    await phase(web, undefined);
    await until('gone is announced', () => said(web).includes('workload.gone'));
    expect(said(web)).toEqual(['workload.starting', 'workload.running', 'workload.gone']);
    expect(live.some((s) => s.name === web && s.phase === 'running')).toBe(true);
  });

  it('does not count what a lost site reported', async () => {
    const db = name('db');
    await lab.decide(workload(db), placement(db, version(1, 1), { b: 1 }));
    await observe(db, 'b');
    await phase(db, 'running');
    await putState('b', 'lost', 2);
    await phase(db, 'degraded');
    expect(await statusOf(db)).toMatchObject({
      running: 0,
      sites: [{ site: 'b', phase: 'lost', running: 0 }],
    });
    await putState('b', 'ready', 3);
    await phase(db, 'running');
  });

  it('lists everything there is, page by page, in the order of the names', async () => {
    const names = Array.from({ length: 40 }, (_, i) => name(`list${String(i).padStart(2, '0')}`));
    await Promise.all(
      names.map(async (n) => {
        await lab.decide(workload(n), placement(n, version(1, 1), { a: 200 }));
        await observe(n, 'a', { replicas: Array.from({ length: 200 }, (_, slot) => replica(n, 'a', slot)) });
      }),
    );
    await phase(names.at(-1) ?? '', 'running');
    const mine = async () => (await listed()).seen.filter((n) => names.includes(n));
    await until('all are listed', async () => (await mine()).length === names.length);
    expect(await mine()).toEqual(names);
    expect((await listed()).pages).toBeGreaterThan(1);
  });

  it('refuses what it does not know, and a request that is none', async () => {
    await expect(api.request(RPC.status, { project: 'shop', name: 'nothing' })).rejects.toMatchObject({
      code: 'not-found',
    });
    await expect(api.request(RPC.status, { project: '../etc' })).rejects.toMatchObject({
      code: 'invalid',
    });
  });

  it('goes on by another instance when the active one is killed, and announces nothing twice', async () => {
    const [first] = apps.splice(0, 1);
    if (first === undefined) throw new Error('no instance');
    await lab.end(first);
    const next = name('next');
    await lab.decide(workload(next), placement(next, version(1, 1), { a: 1 }));
    await observe(next, 'a');
    await phase(next, 'running');
    await until('it is announced', () => said(next).includes('workload.running'));
    // What was announced last of a workload is not announced again.
    const last = new Map<string, string>();
    const again = lab.events.filter(({ subject, type }) => {
      const same = type.startsWith('dev.skerry.workload.') && last.get(subject) === type;
      last.set(subject, type);
      return same;
    });
    expect(again).toEqual([]);
  });
});

describe('the read model in Redis', () => {
  it('is filled again from the bus when it was emptied, and answered without it when it is away', async () => {
    await lab.startApp('telemetry', { REDIS_URL: redis.url });
    // One key a workload, their order, and the mark of who filled it.
    const filled = async () => (await redis.command('DBSIZE')) === `:${(await listed()).seen.length + 2}\r\n`;
    await until('it is filled', filled);
    await redis.command('FLUSHALL');
    await until('it is filled again', async () => (await listed()).seen.length > 40 && (await filled()));
    await redis.stop();
    expect((await statusOf('db-in-memory'))?.phase).toBe('running');
  });
});
