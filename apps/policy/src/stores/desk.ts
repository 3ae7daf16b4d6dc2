import { Inject, Injectable } from '@nestjs/common';
import type { Headers } from '@skerry/bus';
import { workloadKey, type CommandBody, type Site, type Workload } from '@skerry/contracts';
import type { AdmissionState, AdmissionTools, Writes } from '@skerry/domain';
import { Gazetteer } from '@skerry/gazetteer';
import { specDigest } from '../spec-digest.js';
import { QuotasStore } from './quotas.store.js';
import { SitesStore, type SiteChange } from './sites.store.js';
import { WorkloadsStore, type Held } from './workloads.store.js';

/** What a decision is made on, and how it is committed on condition that this has not changed. */
export interface Papers {
  state: AdmissionState;
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
    @Inject(Gazetteer) gazetteer: Gazetteer,
  ) {
    this.tools = { digest: specDigest, locate: (group, most) => gazetteer.locate(group, most) };
  }

  async papersFor(body: CommandBody): Promise<Papers> {
    const { keys, siteName } = subjectOf(body);
    const [workloads, site] = await Promise.all([
      this.workloads.read(keys),
      siteName === undefined ? undefined : this.sites.read(siteName),
    ]);
    return {
      state: this.stateOf(workloads, site),
      commit: async (writes, headers) => {
        await this.workloads.commit(writes.workloads, workloads, headers);
        for (const next of writes.sites)
          await this.sites.commit(next, site?.revision ?? 0, changeOf(site?.value, next), headers);
      },
    };
  }

  private stateOf(
    workloads: ReadonlyMap<string, Held<Workload>>,
    site: Held<Site> | undefined,
  ): AdmissionState {
    return {
      workload: (project, name) => workloads.get(workloadKey(project, name))?.value,
      site: (name) => (site?.value.name === name ? site.value : undefined),
      claimsOf: (project) => this.quotas.claimsOf(project),
      quota: (project) => this.quotas.of(project),
    };
  }
}

function subjectOf(body: CommandBody): { keys: string[]; siteName?: string } {
  switch (body.verb) {
    case 'workload.apply': {
      const keys = body.documents.map(({ metadata }) => workloadKey(metadata.project, metadata.name));
      return { keys: [...new Set(keys)] };
    }
    case 'workload.scale':
    case 'workload.stop':
    case 'workload.start':
    case 'workload.remove':
      return { keys: [workloadKey(body.project, body.name)] };
    case 'site.add':
      return { keys: [], siteName: body.site.name };
    case 'site.remove':
    case 'site.cordon':
      return { keys: [], siteName: body.name };
    default:
      return body satisfies never;
  }
}

function changeOf(before: Site | undefined, after: Site): SiteChange {
  if (!before) return 'added';
  return after.membership === 'removed' ? 'removed' : 'changed';
}
