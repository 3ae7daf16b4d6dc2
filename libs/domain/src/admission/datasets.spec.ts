import { describe, expect, it } from '@jest/globals';
import {
  datasetDocumentSchema,
  exampleSite,
  workloadDocumentSchema,
  type CommandBody,
  type Dataset,
  type Site,
  type Workload,
} from '@skerry/contracts';
import { admit, type Admission, type AdmissionState } from './index.js';

const NOW = '2026-01-01T00:00:00.000Z';

const site = (name: string, jurisdictions: string[]): Site => exampleSite(name, { jurisdictions });

const document = (name: string, spec: object = {}) =>
  datasetDocumentSchema.parse({
    apiVersion: 'skerry/v1',
    kind: 'Dataset',
    metadata: { name, project: 'p' },
    spec: { type: 'keyvalue', ...spec },
  });
const workload = (name: string) =>
  workloadDocumentSchema.parse({
    apiVersion: 'skerry/v1',
    kind: 'Workload',
    metadata: { name, project: 'p' },
    spec: { run: { command: ['x'] } },
  });

/** Policy's buckets, and a clock of commands. */
class Desk {
  readonly datasets = new Map<string, Dataset>();
  readonly workloads = new Map<string, Workload>();
  private sequence = 0;

  constructor(private readonly hubJurisdictions?: string[]) {}

  state(): AdmissionState {
    const sites = [site('de', ['eu']), site('us', ['us'])];
    return {
      workload: (project, name) => this.workloads.get(`${project}.${name}`),
      dataset: (project, name) => this.datasets.get(`${project}.${name}`),
      site: (name) => sites.find((s) => s.name === name),
      sites: () => sites,
      claimsOf: () => [],
      quota: () => undefined,
      hubJurisdictions: this.hubJurisdictions,
    };
  }

  decide(body: CommandBody, requestId = `request-${this.sequence + 1}`): Admission {
    this.sequence += 1;
    const actor = { subject: 'ann', role: 'operator' as const };
    const command = { kind: 'Command' as const, requestId, actor, sentAt: NOW, body };
    return admit({ command, sequence: this.sequence, now: NOW }, this.state(), {
      digest: (value) => `sha256:${JSON.stringify(value)}`,
      locate: () => ({ ok: true, points: [] }),
    });
  }

  apply(datasets: ReturnType<typeof document>[], documents: ReturnType<typeof workload>[] = []): Admission {
    const admission = this.decide({ verb: 'workload.apply', documents, datasets });
    if (admission.ok) this.commit(admission);
    return admission;
  }

  commit({ writes }: Extract<Admission, { ok: true }>): void {
    for (const d of writes.datasets) this.datasets.set(`${d.project}.${d.name}`, d);
    for (const w of writes.workloads) this.workloads.set(`${w.project}.${w.name}`, w);
  }
}

const problems = (admission: Admission) =>
  admission.ok ? [] : admission.issues.map(({ path, problem }) => `${path}: ${problem}`);

describe('datasets in an apply', () => {
  it('go with workloads in one command, all or none', () => {
    const desk = new Desk(['eu']);
    expect(desk.apply([document('d')], [workload('w')])).toMatchObject({
      ok: true,
      changes: [
        { noun: 'workload', name: 'w', change: 'created' },
        { noun: 'dataset', name: 'd', change: 'created', generation: 1 },
      ],
    });
    const half = desk.apply([document('e'), document('f', { conflicts: 'single-writer' })], [workload('v')]);
    expect(half).toMatchObject({ ok: false, code: 'invalid' });
    expect(desk.datasets.has('p.e') || desk.workloads.has('p.v')).toBe(false);
  });

  it('are told as they were when only the answer, or the workloads, were not written', () => {
    const desk = new Desk();
    const body: CommandBody = {
      verb: 'workload.apply',
      documents: [workload('w')],
      datasets: [document('d')],
    };
    const first = desk.decide(body, 'request-a');
    if (!first.ok) throw new Error(first.title);
    desk.commit({ ...first, writes: { ...first.writes, workloads: [] } });
    const again = desk.decide(body, 'request-a');
    expect(again).toMatchObject({ ok: true, changes: first.changes, writes: { datasets: [] } });
    if (again.ok) desk.commit(again);
    expect(desk.decide(body, 'request-a')).toMatchObject({
      ok: true,
      changes: first.changes,
      writes: { datasets: [], workloads: [] },
    });
  });

  it('change nothing when they are as they were, and never what their records are made of', () => {
    const desk = new Desk();
    desk.apply([document('d')]);
    expect(desk.apply([document('d')])).toMatchObject({ changes: [{ change: 'unchanged', generation: 1 }] });
    expect(desk.apply([document('d', { limits: { keys: 5 } })])).toMatchObject({
      changes: [{ change: 'updated', generation: 2 }],
    });
    expect(problems(desk.apply([document('d', { conflicts: 'set' })]))).toEqual([
      'dataset d: spec.conflicts: changed',
    ]);
    expect(desk.datasets.get('p.d')).toMatchObject({ incarnation: 1, generation: 2 });
  });

  it('begin anew when they are made again after they were removed', () => {
    const desk = new Desk();
    desk.apply([document('d')]);
    const removed = desk.decide({ verb: 'dataset.remove', project: 'p', name: 'd' });
    if (removed.ok) desk.commit(removed);
    desk.apply([document('d', { conflicts: 'counter' })]);
    expect(desk.datasets.get('p.d')).toMatchObject({ removed: false, generation: 3, incarnation: 3 });
  });

  it('are refused with every reason at once', () => {
    const wrong = document('d', {
      type: 'objects',
      conflicts: 'counter',
      home: 'de',
      ttlMs: 1_000,
      residency: { stay: ['eu'], deny: ['eu'], origin: true },
      copies: { at: 'matching', sites: ['us', 'atlantis'] },
    });
    expect(problems(new Desk(['us']).apply([wrong]))).toEqual([
      'dataset d: spec.residency.origin: says no areas',
      'dataset d: spec.home: not allowed',
      'dataset d: spec.ttlMs: not allowed',
      'dataset d: spec.conflicts: not allowed',
      'dataset d: spec.residency.deny: also in stay',
      'dataset d: spec.residency: the hub keeps every record in clear, and it is in us',
      expect.stringContaining('dataset d: spec.copies.sites (residency)'),
      'dataset d: spec.copies.sites: there is no such site',
    ]);
  });

  it('of objects say what files may take of room and of which links', () => {
    const of = (objects?: object, type = 'objects') =>
      problems(new Desk().apply([document('d', { type, ...(objects && { objects }) })]));
    expect(of()).toEqual([]);
    expect(of({ fetch: 'on-demand', bandwidth: [{ bytesPerSecond: 5_000, sites: ['de'] }] })).toEqual([]);
    expect(
      of({ bytes: 2_048, objectBytes: 4_096, bandwidth: [{ bytesPerSecond: 0, sites: ['x'] }] }),
    ).toEqual([
      'dataset d: spec.objects.objectBytes: more than all objects may have',
      'dataset d: spec.objects.bandwidth.sites: there is no such site',
    ]);
    expect(of({}, 'keyvalue')).toEqual(['dataset d: spec.objects: not allowed']);
  });

  it.each(['collect', 'mesh', 'broadcast'])(
    'of type log and flow %s may be where workloads use them, or at so many sites, and not with areas',
    (flow) => {
      const of = (copies: object, more: object = {}) =>
        problems(
          new Desk(['eu', 'us']).apply([document('d', { type: 'log', log: { flow }, copies, ...more })]),
        );
      expect(of({ at: 'with-workloads' })).toEqual([]);
      expect(of({ min: 1, max: 2 })).toEqual([]);
      const residency = { origin: { among: ['eu', 'us'] } };
      expect(of({ min: 1 }, { residency })).toContainEqual(
        'dataset d: spec.copies: not yet offered with residency.origin: the last copy of an area would count as one of many',
      );
    },
  );

  it('with a residency rule need a hub that may keep records, and somebody who says where it is', () => {
    const law = document('d', { residency: { stay: ['eu'] } });
    expect(new Desk(['eu']).apply([law])).toMatchObject({ ok: true });
    expect(new Desk(['us']).apply([law])).toMatchObject({ ok: false, code: 'residency' });
    expect(new Desk().apply([law])).toMatchObject({ ok: false, code: 'residency' });
    expect(new Desk().apply([document('d')])).toMatchObject({ ok: true });
  });

  it('with a single writer name a site that has a copy', () => {
    const of = (more: object) => document('d', { conflicts: 'single-writer', ...more });
    expect(problems(new Desk().apply([of({})]))).toEqual(['dataset d: spec.home: missing']);
    expect(new Desk().apply([of({ home: 'de' })])).toMatchObject({ ok: true });
    const abroad = of({ home: 'us', residency: { stay: ['eu'] } });
    expect(problems(new Desk(['eu']).apply([abroad]))).toEqual(['dataset d: spec.home: no copy there']);
  });
});
