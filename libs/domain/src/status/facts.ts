import {
  compareVersions,
  shareVersion,
  type Observed,
  type Placement,
  type Replica,
  type SiteState,
  type SiteStatus,
  type Workload,
} from '@skerry/contracts';
import { replicaRange, wantedPart } from '../placement/index.js';

export interface StatusInput {
  workload: Workload;
  placement: Placement | undefined;
  /** The newest report of each site. */
  observed: readonly Observed[];
  siteState: (site: string) => Pick<SiteState, 'phase'> | undefined;
  /** RFC 3339. */
  at: string;
}

/** What the parts of a status are judged by. */
export interface StatusFacts {
  workload: Workload;
  /** Absent until there is one for the workload's newest generation. */
  placement: Placement | undefined;
  sites: readonly SiteFacts[];
  /** Replicas that count as running: no more at a site than are wanted there. */
  running: number;
  completed: number;
  wanted: number;
}

export interface SiteFacts {
  status: SiteStatus;
  /** Lost: what was reported of it no longer counts as running. */
  lost: boolean;
  /** What it reports is of the version that was placed. */
  current: boolean;
  completed: number;
  /** Replicas that exist there as far as is known, in whatever phase except ended ones. */
  live: number;
}

/** Brings wanted, placed and observed together, without judging. */
export function gather(input: StatusInput): StatusFacts {
  const { workload } = input;
  const sites = sitesOf(input);
  const decided = input.placement?.version.generation === workload.generation;
  const ends = workload.removed || workload.stopped;
  const wanted = ends ? 0 : Math.max(input.placement?.wanted ?? 0, replicaRange(workload.spec.placement).min);
  const counted = sites.map(({ status }) =>
    ends ? status.running : Math.min(status.running, status.wanted),
  );
  const placed = wantedPart(input.placement?.shares ?? []).map((s) => s.replicas);
  return {
    workload,
    placement: decided ? input.placement : undefined,
    sites,
    // What stays at a site until it is replaced runs beside its replacement, and is not one more.
    running: ends ? sum(counted) : Math.min(sum(counted), Math.max(wanted, sum(placed))),
    completed: sum(sites.map((s) => s.completed)),
    wanted,
  };
}

function sitesOf(input: StatusInput): SiteFacts[] {
  const shares = new Map((input.placement?.shares ?? []).map((s) => [s.site, s]));
  const reports = new Map(input.observed.map((o) => [o.site, o]));
  const shown = [...shares.keys(), ...[...reports.keys()].filter((s) => !shares.has(s))];
  return shown.flatMap((site) => {
    const report = reports.get(site);
    const share = shares.get(site);
    const gone = report === undefined || report.replicas.length === 0;
    if ((share === undefined || share.until === 'returned') && gone) return [];
    const phase = input.siteState(site)?.phase ?? 'pending';
    return [siteFacts({ site, phase, share, report, placement: input.placement, workload: input.workload })];
  });
}

function siteFacts(part: {
  site: string;
  phase: SiteState['phase'];
  share: Placement['shares'][number] | undefined;
  report: Observed | undefined;
  placement: Placement | undefined;
  workload: Workload;
}): SiteFacts {
  const { site, phase, share, report, placement, workload } = part;
  const replicas: Replica[] = report?.replicas ?? [];
  const lost = phase === 'lost' || phase === 'left';
  // A newer report than the placement known here is of one that is about to arrive.
  const current =
    report !== undefined &&
    placement !== undefined &&
    compareVersions(report.version, share ? shareVersion(placement, share) : placement.version) >= 0;
  const refused = current && report.state === 'refused' ? report.refusal : undefined;
  return {
    status: {
      site,
      phase,
      why: share?.why ?? 'moving away',
      // What is placed elsewhere until its site returns is not waited for here.
      wanted: share === undefined || share.until === 'returned' ? 0 : share.replicas,
      running: lost ? 0 : replicas.filter((r) => r.phase === 'running').length,
      replicas,
      ...(refused === undefined ? {} : { refusal: refused }),
      ...(report?.runs === undefined ? {} : { runs: report.runs }),
    },
    lost,
    current,
    // What an older generation completed says nothing of this one.
    completed:
      report !== undefined && report.version.generation >= workload.generation
        ? replicas.filter((r) => r.phase === 'completed').length
        : 0,
    live: lost ? 0 : replicas.filter((r) => r.phase !== 'completed' && r.phase !== 'failed').length,
  };
}

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
