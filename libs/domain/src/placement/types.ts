import type { CheckResult, Placement, Resources, Site, SiteState, Workload } from '@skerry/contracts';
import type { Position } from './geo.js';
import type { Weights } from './weights.js';

/** One site as a decision sees it; made by `siteFacts`, once per change of the site. */
export interface SiteFacts {
  readonly name: string;
  readonly site: Site;
  /** Absent until inventory has heard of it. */
  readonly state: SiteState | undefined;
  /** Labels that selectors see: the operator's own, and `name`, `kind`, `provider`, `site`, `jurisdiction` (its first). */
  readonly labels: ReadonlyMap<string, string>;
  readonly position: Position;
  /** Measured round trips in ms by the other site's name. */
  readonly rttMs: ReadonlyMap<string, number>;
}

/** Fractions of a site's allocatable cpu, memory and disk that are taken. */
export type Use = readonly [cpu: number, memory: number, disk: number];

/** What is taken where, read-only. `except` names a workload whose own holdings count as free: it is being decided. */
export interface LedgerView {
  /** How many replicas of `need` fit into the site's nodes, at most `limit`. */
  fitting(site: string, need: Resources, limit: number, except?: string): number;
  /** What is taken at the site, and the fraction that one replica of `need` would take. */
  use(site: string, need: Resources, except?: string): { taken: Use; perReplica: Use };
  /** Where a workload (`<project>.<name>`) holds replicas, at most one entry a site; empty for one that holds nothing. */
  heldBy(key: string): readonly { readonly site: string; readonly replicas: number }[];
}

/** Everything a decision may look at beyond the workload itself. */
export interface Snapshot {
  /** In any order; a decision does not depend on it. Sorted by name it is a little cheaper. */
  readonly sites: readonly SiteFacts[];
  readonly ledger: LedgerView;
}

export interface PlaceRequest {
  readonly workload: Workload;
  /** Replicas by site as now placed: moving them costs, and sites that take nothing new may keep them. */
  readonly present: ReadonlyMap<string, number>;
  /** Sites that said no to this generation, and why. */
  readonly refusals: ReadonlyMap<string, CheckResult>;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Default `DEFAULT_WEIGHTS`. */
  readonly weights?: Weights;
  /** Measured round trips in ms from the users themselves, by index of `workload.demand` and then by name of site; they win over what is known of sites. */
  readonly measuredMs?: readonly (ReadonlyMap<string, number> | undefined)[];
}

/** What `place` answers: the parts of a `Placement` that the decision itself makes. */
export type Decision = Pick<
  Placement,
  | 'state'
  | 'wanted'
  | 'shares'
  | 'latencyMs'
  | 'costPerMonth'
  | 'objective'
  | 'runnerUp'
  | 'failedChecks'
  | 'rejected'
  | 'engine'
  | 'seed'
>;

/** What a check looks at: one site for one workload. */
export interface CheckContext {
  readonly facts: SiteFacts;
  readonly request: PlaceRequest;
  readonly snapshot: Snapshot;
  /** Replicas of the workload that the site has now. */
  readonly present: number;
}

/**
 * The most replicas that a rule lets a site hold: 0 fails the site, Infinity does not limit it. Called once for every site
 * of a decision, so it costs a look at `facts` and no more; `present` are the replicas of the workload that it has now.
 */
export type Limit = (facts: SiteFacts, present: number) => number;

/** A hard rule; one file each and one line in the registry. */
export interface Check {
  readonly name: string;
  /** Once for a decision: what does not depend on the site is worked out here. Undefined when the rule limits no site at all. */
  prepare(request: PlaceRequest, snapshot: Snapshot): Limit | undefined;
  /** The value the site has and the value it needs, and the least change that would make it pass. */
  explain(context: CheckContext): { has: string; needs: string; remedy?: string };
}

/** A site that passed every check. */
export interface Candidate {
  readonly facts: SiteFacts;
  /** The most replicas it may hold. */
  readonly ceiling: number;
  /** Name of the check that sets `ceiling`, when one does. */
  readonly boundBy: string | undefined;
  readonly present: number;
  /** Currency units a month of one replica. */
  readonly price: number;
  /** Fraction of the preferred labels that the site lacks, 0 to 1. */
  readonly lacks: number;
  readonly taken: Use;
  readonly perReplica: Use;
  /** What `spread.over` is at this site; its name without a spread. */
  readonly domain: string;
}

/** Replicas by index of candidate. */
export interface Choice {
  readonly counts: Int32Array;
  /** Candidates with at least one, ascending: what terms walk over, so that their cost is by what is chosen. */
  readonly open: readonly number[];
  readonly total: number;
}

/** The prepared input of the search and of every term. */
export interface Problem {
  readonly request: PlaceRequest;
  readonly wanted: number;
  /** Sorted by name. */
  readonly candidates: readonly Candidate[];
  /** Replicas that candidates hold now. */
  readonly presentTotal: number;
  readonly demand: DemandServer;
  readonly weights: Weights;
}

/** Who serves which users, for a choice. */
export interface DemandServer {
  /** Mean round trip in ms over all users; 0 without users. */
  meanMs(choice: Choice): number;
  /** Round trip in ms from a user location to a candidate. */
  pointMs(candidate: number, point: number): number;
  /** By index of candidate: share of the demand, mean round trip of it, and whether all of it was measured. */
  serve(choice: Choice): { share: Float64Array; ms: Float64Array; measured: boolean[] };
  readonly hasUsers: boolean;
}

/** One term of the objective over a whole choice; one file each and one line in the registry. */
export interface ObjectiveTerm {
  readonly name: string;
  readonly unit: string;
  value(problem: Problem, choice: Choice): number;
  /** Currency units a month that one unit is worth. */
  weight(weights: Weights): number;
}
