import {
  assignmentSchema,
  workloadDocumentSchema,
  type Assignment,
  type Quota,
  type Workload,
} from '@skerry/contracts';
import { wantedOf } from '../replication/index.js';
import { placement } from '../replication/examples.suite.js';
import { admit, documentOf, type Admission, type AdmissionTools, type Warranted } from './index.js';

const NOW = '2026-01-01T00:00:00.000Z';
const warrantOf = ({ project, name, generation, labels, specDigest }: Warranted) =>
  JSON.stringify([project, name, generation, labels, specDigest]);
const tools: AdmissionTools = {
  digest: (spec) => JSON.stringify(Object.entries(spec).toSorted(([a], [b]) => (a < b ? -1 : 1))),
  locate: () => ({ ok: true, points: [] }),
  warranted: (workload, warrant) => warrant === warrantOf(workload),
};

/** A hub that was restored: it knows what is put in. */
class Hub {
  readonly workloads = new Map<string, Workload>();
  quota: Quota | undefined;
  private sequence = 0;

  recover(held: Held, at: { site: string; replicas: number }): Admission {
    return this.ask({ verb: 'workload.recover', ...held, at });
  }

  apply(document: Held['document']): Admission {
    return this.ask({ verb: 'workload.apply', documents: [document] });
  }

  remove(name: string): Admission {
    return this.ask({ verb: 'workload.remove', project: 'shop', name });
  }

  private ask(body: Parameters<typeof admit>[0]['command']['body']): Admission {
    this.sequence += 1;
    const actor = { subject: 'site one', role: 'operator' as const };
    const requestId = `request-${this.sequence}`;
    const command = { kind: 'Command' as const, requestId, actor, sentAt: NOW, body };
    const state = {
      workload: (_project: string, name: string) => this.workloads.get(name),
      site: () => undefined,
      sites: () => [],
      dataset: () => undefined,
      quota: () => this.quota,
      claimsOf: () => [],
    };
    const admission = admit({ command, sequence: this.sequence, now: NOW }, state, tools);
    if (admission.ok) for (const w of admission.writes.workloads) this.workloads.set(w.name, w);
    return admission;
  }
}

interface Held {
  document: ReturnType<typeof document>;
  generation: number;
  warrant: string;
}

function document(command: string, spec: Record<string, unknown> = {}) {
  return workloadDocumentSchema.parse({
    apiVersion: 'skerry/v1',
    kind: 'Workload',
    metadata: { name: 'late', project: 'shop', labels: { tier: 'front' } },
    spec: { run: { command: [command] }, placement: { replicas: 2 }, ...spec },
  });
}

/** What a site holds of a workload that was admitted at this generation. */
function held(generation: number, of = document(`v${generation}`)): Held {
  const { project, name, labels } = of.metadata;
  const warrant = warrantOf({ project, name, generation, labels, specDigest: tools.digest(of.spec) });
  return { document: of, generation, warrant };
}

describe('what sites hold and a restored hub does not know', () => {
  let hub: Hub;
  beforeEach(() => (hub = new Hub()));

  it('is there again as it was admitted, at its generation, with the site where it runs', () => {
    expect(hub.recover(held(7), { site: 'one', replicas: 2 })).toMatchObject({
      ok: true,
      changes: [{ change: 'created', generation: 7 }],
    });
    expect(hub.workloads.get('late')).toMatchObject({
      generation: 7,
      labels: { tier: 'front' },
      spec: { run: { command: ['v7'] } },
      recovered: { from: [{ site: 'one', replicas: 2 }], until: '2026-01-01T00:00:05.000Z' },
    });
  });

  it('is one workload however many sites propose it, in whatever order: of the highest generation', () => {
    const said = [
      [held(2), 'one'],
      [held(3), 'two'],
      [held(2), 'three'],
    ] as const;
    for (const order of [said, said.toReversed()]) {
      const fresh = new Hub();
      for (const [which, site] of [...order, ...order]) fresh.recover(which, { site, replicas: 1 });
      const { generation, spec, recovered } = fresh.workloads.get('late') ?? {};
      expect([generation, spec?.run.command]).toEqual([3, ['v3']]);
      expect(recovered?.from.map(({ site }) => site)).toEqual(['one', 'three', 'two']);
    }
  });

  it('changes nothing when it is said again', () => {
    hub.recover(held(2), { site: 'one', replicas: 1 });
    expect(hub.recover(held(2), { site: 'one', replicas: 1 })).toMatchObject({
      writes: { workloads: [] },
      changes: [{ change: 'unchanged', generation: 2 }],
    });
  });

  it('is refused without proof that exactly this was admitted: a stolen site begins nothing', () => {
    const { document: spec, warrant } = held(2);
    const forged = [
      { document: document('mine'), generation: 2, warrant },
      { document: spec, generation: 3, warrant },
      { document: { ...spec, metadata: { ...spec.metadata, name: 'other' } }, generation: 2, warrant },
      { document: spec, generation: 2, warrant: 'x'.repeat(43) },
    ];
    for (const one of forged)
      expect(hub.recover(one, { site: 'one', replicas: 1 })).toMatchObject({ ok: false, code: 'forbidden' });
    expect(hub.workloads.size).toBe(0);
  });

  it('never touches what the hub knows, or has removed', () => {
    hub.apply(document('now'));
    expect(hub.recover(held(9), { site: 'one', replicas: 1 })).toMatchObject({ code: 'conflict' });
    hub.remove('late');
    expect(hub.recover(held(9), { site: 'one', replicas: 1 })).toMatchObject({
      code: 'conflict',
      title: 'shop/late is known here, removed',
    });
    expect(hub.workloads.get('late')?.generation).toBe(2);
  });

  it("is somebody's own once it was changed: sites add nothing to it any more", () => {
    hub.recover(held(2), { site: 'one', replicas: 1 });
    hub.remove('late');
    expect(hub.workloads.get('late')).toMatchObject({ generation: 3, removed: true });
    expect(hub.workloads.get('late')).not.toHaveProperty('recovered');
    expect(hub.recover(held(8), { site: 'two', replicas: 1 })).toMatchObject({ code: 'conflict' });
  });

  it('obeys the quota that counts now, and may own nothing that another site may own', () => {
    hub.quota = { kind: 'Quota', project: 'shop', replicas: 1 };
    expect(hub.recover(held(2), { site: 'one', replicas: 2 })).toMatchObject({
      code: 'invalid',
      issues: [{ path: 'quota.shop.replicas' }],
    });
    hub.quota = undefined;
    const single = held(2, document('x', { type: 'singleton', placement: { replicas: 1 } }));
    expect(hub.recover(single, { site: 'one', replicas: 1 })).toMatchObject({ code: 'conflict' });
  });

  it('is all in the assignment that a site has, which is the same document again', () => {
    for (const spec of [
      {},
      { type: 'cron', cron: { schedule: '0 * * * *' } },
      { health: { tcp: { port: 'p' } } },
    ]) {
      const ports = [{ name: 'p' }];
      const declared = document('x', { ...spec, run: { command: ['x'], ports } });
      new Hub().apply(declared);
      hub = new Hub();
      hub.apply(declared);
      const workload = hub.workloads.get('late');
      const [sent] =
        wantedOf(placement({ one: 2 }), workload && { ...workload, warrant: 'w'.repeat(43) }) ?? [];
      const read: Assignment = assignmentSchema.parse(JSON.parse(JSON.stringify(sent)));
      expect(documentOf(read)).toEqual(declared);
    }
  });
});
