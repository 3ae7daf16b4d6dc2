import { Injectable } from '@nestjs/common';
import type { BucketChange, StoredMessage } from '@skerry/bus';
import {
  observedSchema,
  parseStored,
  workloadKey,
  type Observed,
  type Placement,
  type PlacementsValue,
  type SiteState,
  type Workload,
} from '@skerry/contracts';
import { isNewerReport, type StatusInput } from '@skerry/domain';

/** What statuses are folded from, as their owners keep it. Each change answers the keys of the workloads it matters to. */
@Injectable()
export class InputsStore {
  private readonly workloads = new Map<string, Workload>();
  private readonly placements = new Map<string, Placement>();
  private readonly reports = new Map<string, Map<string, Observed>>();
  private readonly siteStates = new Map<string, SiteState>();

  applyWorkload(change: BucketChange<Workload>): string[] {
    if (change.kind === 'malformed') return [];
    if (change.kind === 'put') this.workloads.set(change.key, change.value);
    else this.workloads.delete(change.key);
    return [change.key];
  }

  applyPlacement(change: BucketChange<PlacementsValue>): string[] {
    if (change.kind === 'malformed') return [];
    if (change.kind === 'gone') this.placements.delete(change.key);
    else if (change.value.kind === 'Placement') this.placements.set(change.key, change.value);
    else return [];
    return [change.key];
  }

  applySiteState(change: BucketChange<SiteState>): string[] {
    if (change.kind !== 'put') return [];
    const state = change.value;
    const before = this.siteStates.get(state.site);
    this.siteStates.set(state.site, state);
    if (before?.phase === state.phase) return [];
    const keys = this.keysAt(state.site);
    // A removed site runs nothing of ours, whatever it reported last.
    if (state.phase === 'left') for (const sites of this.reports.values()) sites.delete(state.site);
    return keys;
  }

  applyReport(message: StoredMessage): string[] {
    const parsed = parseStored(observedSchema, message.json(), message.headers);
    if (!parsed.ok) return [];
    const report = parsed.value;
    const key = workloadKey(report.project, report.name);
    const sites = this.reports.get(key) ?? new Map<string, Observed>();
    if (!isNewerReport(report, sites.get(report.site))) return [];
    this.reports.set(key, sites);
    if (report.state === 'absent') sites.delete(report.site);
    else sites.set(report.site, report);
    return [key];
  }

  keys(): string[] {
    return [...this.workloads.keys()];
  }

  /** Everything one status is folded from; undefined when there is no such workload. */
  of(key: string, at: string): StatusInput | undefined {
    const workload = this.workloads.get(key);
    if (workload === undefined) return undefined;
    return {
      workload,
      placement: this.placements.get(key),
      observed: [...(this.reports.get(key)?.values() ?? [])],
      siteState: (site) => this.siteStates.get(site),
      at,
    };
  }

  private keysAt(site: string): string[] {
    return this.keys().filter(
      (key) =>
        this.reports.get(key)?.has(site) === true ||
        this.placements.get(key)?.shares.some((share) => share.site === site) === true,
    );
  }
}
