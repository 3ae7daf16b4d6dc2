import { Inject, Injectable } from '@nestjs/common';
import type { Headers } from '@skerry/bus';
import {
  workloadKey,
  type CommandBody,
  type Dataset,
  type DatasetDocument,
  type Site,
  type Workload,
  type WorkloadDocument,
  type WorkloadSpec,
} from '@skerry/contracts';
import { partnerOf, type AdmissionState, type AdmissionTools, type Writes } from '@skerry/domain';
import { Gazetteer } from '@skerry/gazetteer';
import { ofDataset, ofQuota, ofSite, ofWorkload, type Telling } from '../events.js';
import { specDigest } from '../spec-digest.js';
import { DatasetsStore } from './datasets.store.js';
import type { Predecessor } from './predecessors.js';
import { QuotasStore } from './quotas.store.js';
import { SitesStore, type SiteChange } from './sites.store.js';
import { WorkloadsStore, type Held } from './workloads.store.js';

/** Affinities are followed this far, over this many workloads. */
const PARTNER_STEPS = 4;
const PARTNERS_MAX = 256;

type Ruled = { metadata: { project: string }; spec: WorkloadSpec };

/** What a decision is made on, and how it is committed on condition that this has not changed. */
export interface Papers {
  state: AdmissionState;
  /** What lies there now of what would be written. */
  predecessors(writes: Writes): readonly Predecessor[];
  /** All or none. Throws `Conflict`. */
  commit(writes: Writes, headers: Headers): Promise<void>;
}

/** Lays out what a command is about, read by key: what was followed may be a moment old. */
@Injectable()
export class Desk {
  readonly tools: AdmissionTools;

  constructor(
    @Inject(WorkloadsStore) private readonly workloads: WorkloadsStore,
    @Inject(SitesStore) private readonly sites: SitesStore,
    @Inject(QuotasStore) private readonly quotas: QuotasStore,
    @Inject(DatasetsStore) private readonly datasets: DatasetsStore,
    @Inject(Gazetteer) gazetteer: Gazetteer,
  ) {
    this.tools = {
      digest: specDigest,
      locate: (group, most) => gazetteer.locate(group, most),
      warranted: (workload, warrant) => workloads.wasAdmitted(workload, warrant),
      warrantedDataset: (dataset, warrant) => datasets.wasAdmitted(dataset, warrant),
    };
  }

  async papersFor(body: CommandBody): Promise<Papers> {
    const { keys, datasetKeys = [], siteName, project } = subjectOf(body);
    const [workloads, datasets, site, quota] = await Promise.all([
      this.workloads.read(keys),
      this.datasets.read(datasetKeys),
      siteName === undefined ? undefined : this.sites.read(siteName),
      project === undefined ? undefined : this.quotas.read(project),
    ]);
    const partners = await this.partnersOf(documentsOf(body), keys);
    return {
      state: {
        ...this.stateOf(new Map([...partners, ...workloads]), datasets, site),
        ...(project === undefined ? {} : { quota: () => quota?.value }),
      },
      predecessors: (writes) => [
        ...writes.workloads.flatMap((w) => before(workloads.get(workloadKey(w.project, w.name)), ofWorkload)),
        ...writes.datasets.flatMap((d) => before(datasets.get(workloadKey(d.project, d.name)), ofDataset)),
        ...writes.sites.flatMap(() => before(site, ofSite)),
        ...writes.quotas.flatMap(() => before(quota, ofQuota)),
      ],
      commit: async (writes, headers) => {
        // First: what a workload may ask for is there before it, and a command that is handled again knows what it wrote.
        await this.datasets.commit(writes.datasets, datasets, headers);
        await this.workloads.commit(writes.workloads, workloads, headers);
        for (const next of writes.sites)
          await this.sites.commit(next, site?.revision ?? 0, changeOf(site?.value, next), headers);
        for (const next of writes.quotas) await this.quotas.commit(next, quota?.revision ?? 0, headers);
      },
    };
  }

  /** Workloads that the documents want to be near to or apart from, and theirs: what a circle would be made of. */
  private async partnersOf(
    documents: readonly Ruled[],
    known: readonly string[],
  ): Promise<Map<string, Held<Workload>>> {
    const seen = new Set(known);
    const found = new Map<string, Held<Workload>>();
    let wanted = namedBy(documents);
    for (let step = 0; step < PARTNER_STEPS && found.size < PARTNERS_MAX; step += 1) {
      const fresh = [...new Set(wanted)].filter((key) => !seen.has(key)).slice(0, PARTNERS_MAX);
      if (fresh.length === 0) break;
      for (const key of fresh) seen.add(key);
      const read = await this.workloads.read(fresh);
      for (const [key, held] of read) found.set(key, held);
      wanted = namedBy(
        [...read.values()].map(({ value }) => ({ metadata: { project: value.project }, spec: value.spec })),
      );
    }
    return found;
  }

  private stateOf(
    workloads: ReadonlyMap<string, Held<Workload>>,
    datasets: ReadonlyMap<string, Held<Dataset>>,
    site: Held<Site> | undefined,
  ): AdmissionState {
    const { hubJurisdictions } = this.datasets;
    return {
      dataset: (project, name) => datasets.get(workloadKey(project, name))?.value,
      ...(hubJurisdictions.length === 0 ? {} : { hubJurisdictions }),
      workload: (project, name) => workloads.get(workloadKey(project, name))?.value,
      site: (name) => (site?.value.name === name ? site.value : undefined),
      sites: () => this.sites.all(),
      claimsOf: (project) => this.quotas.claimsOf(project),
      quota: (project) => this.quotas.of(project),
      usersOf: (project, dataset) => this.datasets.usersOf(project, dataset),
    };
  }
}

function before<T extends { commandSequence?: number | undefined }>(
  held: Held<T> | undefined,
  tellingOf: (stored: Held<T>) => Telling,
): Predecessor[] {
  if (held === undefined) return [];
  return [{ telling: tellingOf(held), at: held.at, commandSequence: held.value.commandSequence ?? 0 }];
}

function namedBy(documents: readonly Ruled[]): string[] {
  return documents.flatMap(({ metadata, spec: { placement } }) =>
    [...placement.affinity, ...placement.antiAffinity].map(({ workload }) => {
      const { project, name } = partnerOf(workload, metadata.project);
      return workloadKey(project, name);
    }),
  );
}

interface Subject {
  /** Of workloads. */
  keys: string[];
  datasetKeys?: string[];
  siteName?: string;
  /** Whose quota it is about. */
  project?: string;
}

function subjectOf(body: CommandBody): Subject {
  switch (body.verb) {
    case 'workload.apply':
      return keysOf(body.documents, body.datasets ?? []);
    case 'workload.scale':
    case 'workload.stop':
    case 'workload.start':
    case 'workload.remove':
      return { keys: [workloadKey(body.project, body.name)] };
    case 'workload.recover':
      return keysOf([body.document], []);
    case 'dataset.remove':
      return { keys: [], datasetKeys: [workloadKey(body.project, body.name)] };
    case 'dataset.recover':
      return keysOf([], [body.document]);
    case 'site.add':
      return { keys: [], siteName: body.site.name };
    case 'site.remove':
    case 'site.cordon':
    case 'site.drain':
    case 'site.recall':
      return { keys: [], siteName: body.name };
    case 'node.set':
    case 'node.remove':
      return { keys: [], siteName: body.site };
    case 'quota.set':
    case 'quota.remove':
      return { keys: [], project: body.project };
    default:
      return body satisfies never;
  }
}

/** Of workloads, and of the datasets that are asked for or used with them. */
function keysOf(documents: readonly WorkloadDocument[], datasets: readonly DatasetDocument[]): Subject {
  const keys = documents.map(({ metadata }) => workloadKey(metadata.project, metadata.name));
  const asked = datasets.map(({ metadata: m }) => workloadKey(m.project, m.name));
  const used = documents.flatMap(({ metadata: m, spec }) =>
    (spec.data ?? []).map(({ dataset }) => workloadKey(m.project, dataset)),
  );
  return { keys: [...new Set(keys)], datasetKeys: [...new Set([...asked, ...used])] };
}

/** What a command says of workloads in full. */
function documentsOf(body: CommandBody): readonly WorkloadDocument[] {
  if (body.verb === 'workload.apply') return body.documents;
  return body.verb === 'workload.recover' ? [body.document] : [];
}

function changeOf(before: Site | undefined, after: Site): SiteChange {
  if (!before) return 'added';
  return after.membership === 'removed' ? 'removed' : 'changed';
}
