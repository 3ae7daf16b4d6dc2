import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  datasetDocumentSchema,
  exampleSite,
  parse,
  workloadDocumentSchema,
  type CommandBody,
  type Dataset,
  type HeldDataset,
} from '@skerry/contracts';
import {
  admit,
  datasetDocumentOf,
  declaredDatasetOf,
  type Admission,
  type AdmissionTools,
  type WarrantedDataset,
} from './index.js';

const NOW = '2026-01-01T00:00:00.000Z';
/** 43 characters, of everything that policy's key would be over. */
const warrantOf = ({ project, name, generation, incarnation, labels, specDigest }: WarrantedDataset) => {
  const text = JSON.stringify([project, name, generation, incarnation, labels, specDigest]);
  const sum = text.split('').reduce((hash, c) => (hash * 31 + c.charCodeAt(0)) % 1_000_000_007, 7);
  return `${sum}`.padStart(43, '0');
};
const tools: AdmissionTools = {
  digest: (spec) => `sha256:${JSON.stringify(spec)}`,
  locate: () => ({ ok: true, points: [] }),
  warrantedDataset: (dataset, warrant) => warrant === warrantOf(dataset),
};

const document = (spec: object = {}, labels: Record<string, string> = { tier: 'front' }) =>
  datasetDocumentSchema.parse({
    apiVersion: 'skerry/v1',
    kind: 'Dataset',
    metadata: { name: 'cart', project: 'shop', labels },
    spec: { type: 'keyvalue', ...spec },
  });

const TILL = workloadDocumentSchema.parse({
  apiVersion: 'skerry/v1',
  kind: 'Workload',
  metadata: { name: 'till', project: 'shop' },
  spec: { type: 'singleton', run: { command: ['till'] }, data: [{ dataset: 'cart', access: 'write' }] },
});

/** A hub: what policy keeps of datasets, with a warrant each as its store gives them. */
class Hub {
  readonly datasets = new Map<string, Dataset>();
  private sequence = 0;

  constructor(private readonly jurisdictions = ['eu']) {}

  apply(dataset: ReturnType<typeof document>): Admission {
    const home = dataset.spec.home === undefined ? [] : [TILL];
    return this.ask({ verb: 'workload.apply', documents: home, datasets: [dataset] });
  }

  remove(): Admission {
    return this.ask({ verb: 'dataset.remove', project: 'shop', name: 'cart' });
  }

  /** As api makes a command of what a site says. */
  recover(held: HeldDataset): Admission {
    const read = parse(datasetDocumentSchema, datasetDocumentOf(held));
    if (!read.ok) throw new Error(JSON.stringify(read.issues));
    const { incarnation, generation, declared } = held;
    const { warrant } = declared;
    return this.ask({ verb: 'dataset.recover', document: read.value, incarnation, generation, warrant });
  }

  /** What a site is given of it. */
  held(): HeldDataset {
    const dataset = this.datasets.get('cart');
    const declared = dataset && declaredDatasetOf(dataset);
    if (dataset === undefined || declared === undefined) throw new Error('nothing is given of it');
    const { project, name, incarnation, generation } = dataset;
    return { project, name, incarnation, generation, declared };
  }

  private ask(body: CommandBody): Admission {
    this.sequence += 1;
    const actor = { subject: 'site one', role: 'operator' as const };
    const requestId = `request-${this.sequence}`;
    const command = { kind: 'Command' as const, requestId, actor, sentAt: NOW, body };
    const state = {
      workload: () => undefined,
      dataset: (_project: string, name: string) => this.datasets.get(name),
      site: () => undefined,
      sites: () => [exampleSite('one', { jurisdictions: ['eu'] })],
      quota: () => undefined,
      claimsOf: () => [],
      hubJurisdictions: this.jurisdictions,
    };
    const admission = admit({ command, sequence: this.sequence, now: NOW }, state, tools);
    if (admission.ok)
      for (const d of admission.writes.datasets) this.datasets.set(d.name, { ...d, warrant: warrantOf(d) });
    return admission;
  }
}

const changeOf = (admission: Admission) => (admission.ok ? admission.changes[0]?.change : admission.code);

describe('datasets that sites have copies of and a restored hub does not know', () => {
  let before: Hub;
  let hub: Hub;
  beforeEach(() => {
    [before, hub] = [new Hub(), new Hub()];
    before.apply(document());
    before.remove();
    before.apply(document({ ttlMs: 5_000 }));
    before.apply(document({ ttlMs: 9_000 }));
  });

  it('are there again as they were admitted, of the same incarnation and generation', () => {
    expect(changeOf(hub.recover(before.held()))).toBe('created');
    const { generation, incarnation, labels, spec } = before.datasets.get('cart') ?? {};
    expect([generation, incarnation]).toEqual([4, 3]);
    expect(hub.datasets.get('cart')).toMatchObject({ generation, incarnation, labels, spec, removed: false });
    expect(hub.held()).toEqual(before.held());
  });

  it.each([
    ['files', { type: 'objects' }],
    ['what sites wrote in a log', { type: 'log', log: { flow: 'mesh' } }],
    ['a log of the centre, as far as sites have read it', { type: 'log', log: { flow: 'broadcast' } }],
    ['what is encrypted, with the keys that sites have', { encryption: { at: 'site' } }],
    ['a home that moves, to where its workload is', { conflicts: 'single-writer', home: { with: 'till' } }],
    ['chosen places, which are where sites have it', { copies: { min: 2 } }],
    ['places where workloads are', { copies: { at: 'with-workloads' } }],
  ])('of %s are there again too', (_what, spec) => {
    const files = new Hub();
    files.apply(document(spec));
    expect(changeOf(hub.recover(files.held()))).toBe('created');
    expect(hub.datasets.get('cart')?.spec).toMatchObject(spec);
    expect(hub.held()).toEqual(files.held());
  });

  it('are one however many sites say so, in whatever order: of the highest generation', () => {
    const newest = before.held();
    const older = new Hub();
    older.apply(document());
    for (const order of [
      [older.held(), newest],
      [newest, older.held()],
    ]) {
      const fresh = new Hub();
      for (const held of [...order, ...order]) expect(fresh.recover(held).ok).toBe(true);
      expect(fresh.datasets.get('cart')).toMatchObject({ generation: 4, incarnation: 3 });
    }
  });

  it('are refused when anything was changed: a site moves no wall', () => {
    const held = before.held();
    const { rest, warrant } = held.declared;
    const walls = JSON.stringify({
      ...JSON.parse(rest),
      spec: document({ residency: { deny: ['cn'] } }).spec,
    });
    const forged: HeldDataset[] = [
      { ...held, declared: { rest: walls, warrant } },
      { ...held, declared: { rest: rest.replace('front', 'back'), warrant } },
      { ...held, declared: { rest, warrant: 'x'.repeat(43) } },
      { ...held, generation: 9 },
      { ...held, incarnation: 1 },
      { ...held, name: 'other' },
    ];
    for (const one of forged) expect(changeOf(hub.recover(one))).toBe('forbidden');
    expect(hub.datasets.size).toBe(0);
    hub.recover(held);
    for (const one of forged) expect(changeOf(hub.recover(one))).toBe('forbidden');
  });

  it('are refused when their walls were taken down: what was sealed stays sealed, and where it was allowed to be', () => {
    const sealed = new Hub();
    sealed.apply(document({ encryption: { at: 'site' }, copies: { max: 2 }, residency: { stay: ['eu'] } }));
    const held = sealed.held();
    const { spec, ...others } = JSON.parse(held.declared.rest);
    for (const field of ['encryption', 'residency', 'copies']) {
      const { [field]: _gone, ...rest } = spec;
      const bare = JSON.stringify({ ...others, spec: rest });
      expect(changeOf(hub.recover({ ...held, declared: { ...held.declared, rest: bare } }))).toBe(
        'forbidden',
      );
    }
    expect(changeOf(hub.recover(held))).toBe('created');
  });

  it('do not come back over what was made anew meanwhile, nor over what was removed', () => {
    const held = before.held();
    hub.apply(document());
    expect(changeOf(hub.recover(held))).toBe('conflict');
    hub.remove();
    expect(hub.recover(held)).toMatchObject({ title: 'dataset shop/cart is known here, removed' });
    expect(hub.datasets.get('cart')).toMatchObject({ generation: 2, removed: true });
  });

  it("are somebody's own once they were changed: sites add nothing to them any more", () => {
    const newest = before.held();
    const older = new Hub();
    older.apply(document());
    hub.recover(older.held());
    hub.apply(document({ ttlMs: 7_000 }));
    expect(changeOf(hub.recover(newest))).toBe('conflict');
    const removed = new Hub();
    removed.recover(older.held());
    removed.remove();
    expect(changeOf(removed.recover(newest))).toBe('conflict');
    expect(removed.datasets.get('cart')).not.toHaveProperty('recovered');
  });

  it('obey the law that counts now', () => {
    before.apply(document({ ttlMs: 9_000, residency: { stay: ['eu'] } }));
    expect(new Hub(['us']).recover(before.held())).toMatchObject({
      code: 'invalid',
      issues: [{ path: 'spec.residency' }],
    });
    expect(changeOf(hub.recover(before.held()))).toBe('created');
  });
});
