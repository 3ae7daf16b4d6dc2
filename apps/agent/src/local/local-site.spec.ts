import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { connectBus, type Bus } from '@skerry/bus';
import {
  exampleSite,
  inboxPrefix,
  journalBatchSchema,
  LOCAL,
  logPageSchema,
  Refusal,
  SITE,
  siteChangeAnswerSchema,
  siteReportSchema,
  siteStatusPageSchema,
  workloadDocumentSchema,
  type Access,
  type JournalEntry,
  type Operation,
  type ProposalAnswer,
  type ProposalRequest,
  type Role,
} from '@skerry/contracts';
import { accessFor } from '@skerry/domain';
import { makeApiToken, signSiteRequest } from '@skerry/identity';
import { HubStandIn } from '../hub-stand-in.suite.js';
import { alive, assignment, end, eventually, SiteUnderTest } from '../site-under-test.suite.js';

const DAY_MS = 86_400_000;
const token = (role: Role) =>
  makeApiToken({ subject: `the-${role}`, role, nowMs: Date.now(), expiresAtMs: Date.now() + DAY_MS });
const OPERATOR = token('operator');
const VIEWER = token('viewer');

function access(change: Partial<Access> = {}): Access {
  const made = accessFor({
    site: exampleSite('s1', { jurisdictions: ['us'] }),
    tokens: [OPERATOR.record, VIEWER.record],
    quotas: [{ kind: 'Quota', project: 'shop', replicas: 5 }],
    projects: new Set(['shop']),
    there: undefined,
    nowMs: Date.now(),
  });
  if (made === undefined) throw new Error('no access');
  return { ...made, ...change };
}

const document = (name: string, spec: object = {}) =>
  workloadDocumentSchema.parse({
    apiVersion: 'skerry/v1',
    kind: 'Workload',
    metadata: { name, project: 'shop' },
    spec: { run: { command: ['sleep', '999'] }, ...spec },
  });

/** A person at the site. */
async function personAt(site: SiteUnderTest) {
  const bus: Bus = await connectBus({
    servers: [`127.0.0.1:${site.port}`],
    name: 'person',
    nkeySeedFile: join(site.dir, 'operator.seed'),
    inboxPrefix: inboxPrefix(LOCAL.user),
    onAlarm: () => undefined,
  });
  const ask = async (operation: Operation, as = OPERATOR.token, id = randomBytes(16).toString('hex')) => {
    const at = new Date().toISOString();
    const request = signSiteRequest(as, { id, site: 's1', at, body: JSON.stringify(operation) });
    return (await bus.request(LOCAL.request, request ?? {})).json();
  };
  const refusal = async (operation: Operation, as?: string) => {
    const error: unknown = await ask(operation, as).catch((e: unknown) => e);
    if (!(error instanceof Refusal))
      throw new Error(`not refused: ${JSON.stringify(error)}`, { cause: error });
    return { code: error.code, text: `${error.message} ${error.details.hint ?? ''}` };
  };
  const status = async () => siteStatusPageSchema.parse(await ask({ verb: 'status' }));
  const running = async (name: string) => {
    const { workloads } = await status();
    return workloads.find((w) => w.name === name)?.replicas.filter((r) => r.phase === 'running') ?? [];
  };
  return { bus, ask, refusal, status, running };
}

describe('a site without its hub', () => {
  let site: SiteUnderTest;
  let hub: HubStandIn;
  let person: Awaited<ReturnType<typeof personAt>>;
  beforeEach(async () => {
    site = await SiteUnderTest.make();
    await site.startServer();
    hub = await HubStandIn.at(site);
    await site.startAgent();
    hub.want(access(), assignment('web', { replicas: 2 }));
    await hub.running('web', 2);
    person = await personAt(site);
  });
  afterEach(async () => {
    await person.bus.close();
    await hub.bus.close();
    await site.close();
  });

  it('stops, starts and applies for its operators, keeps that over a reboot, and takes back what the hub refuses', async () => {
    expect(await person.status()).toMatchObject({
      site: 's1',
      cutOff: false,
      workloads: [{ name: 'web', wanted: 2 }],
    });
    await person.ask({ verb: 'stop', project: 'shop', name: 'web' });
    await eventually('nothing of web runs', async () => (await person.running('web')).length === 0);
    await person.ask({ verb: 'start', project: 'shop', name: 'web' });
    await eventually('web runs again', async () => (await person.running('web')).length === 2);
    const applied = siteChangeAnswerSchema.parse(
      await person.ask({
        verb: 'apply',
        documents: [document('extra'), document('web', { run: { command: ['sleep', '777'] } })],
      }),
    );
    expect(applied.changes.map((c) => c.change)).toEqual(['changed', 'changed']);
    await eventually('extra runs', async () => (await person.running('extra')).length === 1);
    // Of a workload that other sites run too, this one keeps its share.
    await eventually('the new web runs', async () => (await person.running('web')).length === 1);

    for (const agent of site.agentProcesses()) await end(agent, 'SIGKILL');
    await site.killServer();
    await site.startServer();
    await site.startAgent();
    const after = await eventually('the site answers again', async () => {
      const now = await person.status().catch(() => undefined);
      return now?.workloads.length === 2 ? now : undefined;
    });
    expect(after.workloads.map((w) => [w.name, w.override?.verb])).toEqual([
      ['extra', 'apply'],
      ['web', 'apply'],
    ]);

    const sent: ProposalRequest[] = [];
    hub.bus.respond(SITE.proposal, (m): ProposalAnswer => {
      const body = m.json() as ProposalRequest;
      sent.push(body);
      const common = {
        kind: 'Outcome' as const,
        requestId: body.request.id,
        decidedAt: new Date().toISOString(),
      };
      if (body.request.id !== applied.id) {
        return { state: 'decided', outcome: { ...common, ok: true, verb: 'workload.stop', changes: [] } };
      }
      const refused = {
        ok: false as const,
        code: 'conflict' as const,
        title: 'changed meanwhile',
        issues: [],
      };
      return { state: 'decided', outcome: { ...common, ...refused, verb: 'workload.apply' } };
    });
    await eventually('extra is taken back', async () => {
      const { workloads } = await person.status();
      return (
        workloads.every((w) => w.override?.verb !== 'apply') && workloads.every((w) => w.name !== 'extra')
      );
    });
    await eventually('web is as the hub wants it', async () => (await person.running('web')).length === 2);
    expect(sent.map((s) => s.unknown).at(-1)).toEqual(['shop.extra']);
    const report = siteReportSchema.parse(await person.ask({ verb: 'report' }));
    expect(report.changes.map(({ what, state, by }) => [what, state, by])).toEqual([
      ['apply shop/extra, shop/web', 'rejected', 'the-operator'],
      ['start shop/web', 'accepted', 'the-operator'],
      ['stop shop/web', 'accepted', 'the-operator'],
    ]);
  }, 60_000);

  it('lets another generation of the hub win over what was changed here, and no other placement of the same', async () => {
    await person.ask({ verb: 'stop', project: 'shop', name: 'web' });
    await eventually('nothing of web runs', async () => (await person.running('web')).length === 0);
    hub.want(assignment('web', { replicas: 3, version: { revision: 2 } }));
    await eventually('the site holds the newer placement', () => {
      hub.bus.say(SITE.request('digest'), {});
      return hub.digests.some(({ items }) => items.some((i) => i.version.revision === 2));
    });
    expect((await person.status()).workloads[0]).toMatchObject({ override: { verb: 'stop' } });
    expect(await person.running('web')).toEqual([]);
    hub.want(assignment('web', { replicas: 1, version: { generation: 2 } }));
    await eventually('web runs as wanted', async () => (await person.running('web')).length === 1);
    const { workloads } = await person.status();
    expect(workloads[0]?.override).toBeUndefined();
    await eventually('the report says so', async () => {
      const report = siteReportSchema.parse(await person.ask({ verb: 'report' }));
      return report.changes[0]?.state === 'superseded' && report.changes[0].what === 'stop shop/web';
    });
  }, 30_000);

  it('makes the same change once, however often it is asked for', async () => {
    const stop: Operation = { verb: 'stop', project: 'shop', name: 'web' };
    const first = await person.ask(stop, OPERATOR.token, 'same-request-1');
    expect(await person.ask(stop, OPERATOR.token, 'same-request-1')).toEqual(first);
    const report = siteReportSchema.parse(await person.ask({ verb: 'report' }));
    expect(report.changes).toHaveLength(1);
  }, 30_000);

  it('refuses who may not, what the law forbids and what passes the quota, saying so', async () => {
    const stop: Operation = { verb: 'stop', project: 'shop', name: 'web' };
    expect(await person.refusal(stop, VIEWER.token)).toMatchObject({
      code: 'forbidden',
      text: expect.stringContaining('viewer'),
    });
    expect(await person.refusal(stop, token('admin').token)).toMatchObject({
      code: 'unauthorized',
      text: expect.stringContaining('not known at s1'),
    });
    const wall = document('wall', { placement: { residency: { allow: ['eu'] } } });
    expect(await person.refusal({ verb: 'apply', documents: [wall] })).toMatchObject({
      code: 'residency',
      text: expect.stringContaining('s1 is in us'),
    });
    const many = document('many', { placement: { replicas: 4 } });
    expect(await person.refusal({ verb: 'apply', documents: [many] })).toMatchObject({ code: 'over-quota' });
    const single = document('single', { type: 'singleton' });
    expect(await person.refusal({ verb: 'apply', documents: [single] })).toMatchObject({
      text: expect.stringContaining('it may run at another site'),
    });
    expect((await person.running('web')).length).toBe(2);
    // 24 hours after the hub was heard it is not known any more who may.
    const old = { validUntil: new Date(Date.now() - 1_000).toISOString() };
    hub.want(access({ ...old, generation: Date.now() + 5 }));
    await eventually('nobody is let in', async () => {
      const { code, text } = await person.refusal(stop).catch(() => ({ code: '', text: '' }));
      return code === 'unauthorized' && text.includes('24 hours after');
    });
  }, 30_000);

  it('can be asked by its user alone, who may do nothing else', async () => {
    const refused = /does not permit/;
    await expect(person.bus.request(SITE.ping, {}, { timeoutMs: 5_000 })).rejects.toThrow(refused);
    const report = person.bus.publish('out.workload.shop.web', {}, { timeoutMs: 5_000 });
    await expect(report).rejects.toThrow(refused);
  }, 30_000);

  it('goes on restarting what ends', async () => {
    const [first] = await person.running('web');
    process.kill(first?.pid ?? 0, 'SIGKILL');
    const now = await eventually('it was started again', async () => {
      const found = await person.running('web');
      return found.length === 2 && found.every((r) => r.pid !== first?.pid) && found;
    });
    expect(now.every((r) => alive(r.pid ?? 0))).toBe(true);
  }, 30_000);
});

describe('a site of several nodes without its hub', () => {
  it('is asked as one: replicas of all its nodes, their lines, what is stopped on each, and a node that is lost leaves its open changes to the next', async () => {
    const site = await SiteUnderTest.make();
    const ends: (() => Promise<void>)[] = [async () => await site.close()];
    try {
      await site.startServer();
      await site.addNode('n2');
      const hub = await HubStandIn.at(site);
      ends.push(async () => await hub.bus.close());
      const person = await personAt(site);
      ends.push(async () => await person.bus.close());
      const agents = { n1: await site.startAgent(), n2: await site.startAgent({ node: 'n2' }) };
      hub.want(access());
      await eventually('two nodes', () => hub.beats.at(-1)?.beat.nodes === 2);
      const command = [
        process.execPath,
        '-e',
        'console.log("up on", process.env.SKERRY_NODE); setInterval(() => {}, 1e6)',
      ];
      hub.want(
        assignment('web', {
          replicas: 4,
          run: { command },
          resources: { cpuMillicores: 100, memoryMiB: 16 },
        }),
      );
      const all = await eventually('all of it runs', async () => {
        const found = await person.running('web').catch(() => []);
        return found.length === 4 && found;
      });
      const nodes = [...new Set(all.map((r) => r.node))].toSorted();
      // A replica that runs has not yet said anything.
      const lines = await eventually('the lines of every replica', async () => {
        const id = randomBytes(8).toString('hex');
        const said: string[] = [];
        let pages = 0;
        const hearing = person.bus.listen(LOCAL.logPage(id), (m) => {
          const page = logPageSchema.parse(m.json());
          said.push(...page.lines.map((l) => l.line));
          pages += page.done ? 1 : 0;
        });
        const wanted = { verb: 'logs' as const, project: 'shop', name: 'web', id, tail: 10, follow: false };
        expect(await person.ask(wanted)).toEqual({ nodes: 2 });
        await eventually('the last page of each node', () => pages === 2);
        await hearing.drain();
        return said.length === 4 && said;
      });
      expect([...new Set(lines)].toSorted()).toEqual(nodes.map((n) => `up on ${n}`));
      await person.ask({ verb: 'stop', project: 'shop', name: 'web' });
      await eventually(
        'nothing of it runs on any node',
        async () => (await person.running('web')).length === 0,
      );
      expect(all.filter((r) => alive(r.pid ?? 0))).toEqual([]);
      await person.ask({ verb: 'start', project: 'shop', name: 'web' });
      await eventually('all of it runs again', async () => (await person.running('web')).length === 4);
      const told: JournalEntry[] = [];
      hub.bus.listen(SITE.journalUplink, (m) => {
        told.push(...journalBatchSchema.parse(m.json()).entries);
      });
      // The node that speaks for the site dies before the hub has heard of what was changed.
      const dies = (await person.status()).node === 'n1' ? 'n1' : 'n2';
      await end(agents[dies], 'SIGKILL');
      await eventually('a node is lost', async () => {
        const page = siteStatusPageSchema.safeParse(
          await person.ask({ verb: 'status' }).catch(() => undefined),
        );
        return page.success && (await person.running('web')).every((r) => r.node !== dies);
      });
      const sent: ProposalRequest[] = [];
      hub.bus.respond(SITE.proposal, (m): ProposalAnswer => {
        sent.push(m.json() as ProposalRequest);
        return { state: 'waiting', retryAfterMs: 100 };
      });
      await eventually('the other one sends it', () => sent.length > 0);
      await eventually('the journal tells which node was lost', () =>
        told.some(({ what, text }) => what === 'node-lost' && text === dies),
      );
    } finally {
      for (const close of ends.toReversed()) await close();
    }
  }, 60_000);
});
