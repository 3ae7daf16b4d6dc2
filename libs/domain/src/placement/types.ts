import type {
  CheckResult,
  NeededDataset,
  Placement,
  Resources,
  Site,
  SiteState,
  Workload,
} from '@skerry/contracts';
import type { Users } from './demand/users.js';
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

/** Fractions of a site's allocatable cpu, memory, disk and GPUs that are taken. */
export type Use = readonly [cpu: number, memory: number, disk: number, gpu: number];

/** What is taken where, read-only. `except` names a workload whose own holdings count as free: it is being decided. */
export interface LedgerView {
  /** How many replicas of `need` fit into the site's nodes, at most `limit`. */
  fitting(site: string, need: Resources, limit: number, except?: string): number;
  /** By index of site: 1 where `fitting` is at least 1, 0 elsewhere; for all at once. Without it each is asked. */
  haveRoom?(sites: readonly { readonly name: string }[], need: Resources): Uint8Array;
  /** By index of site: `fitting` of all at once, without an `except`. Without it each is asked. */
  fittingAll?(sites: readonly { readonly name: string }[], need: Resources, limit: number): Float64Array;
  /** What is taken at the site, and the fraction that one replica of `need` would take. */
  use(site: string, need: Resources, except?: string): { taken: Use; perReplica: Use };
  /** By index of site: `use` of all at once, without an `except`: four numbers of `taken` and four of `perReplica` each. Without it each is asked. */
  usesOf?(sites: readonly { readonly name: string }[], need: Resources): Float64Array;
  /** Where a workload (`<project>.<name>`) holds replicas, at most one entry a site; empty for one that holds nothing. */
  heldBy(key: string): readonly { readonly site: string; readonly replicas: number }[];
  /** What each workload holds at the site. Without it nothing can be preempted. */
  holdingsAt?(site: string): ReadonlyMap<string, HeldThere>;
}

/** What a workload holds at one site. */
export interface HeldThere {
  /** Of each replica. */
  readonly need: Resources;
  readonly replicas: number;
  /** 0 when absent. */
  readonly priority?: number;
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
  /** Healthy replicas by site, as reported; of a job, those that have completed; absent when that is not known and nothing is kept for it. */
  readonly healthy?: ReadonlyMap<string, number>;
  /** Currency units a month that the project's quota leaves for this workload, with what it costs now counted as free; absent without such a quota. */
  readonly projectBudgetLeft?: number;
  /** The datasets that it says it uses; absent: none. */
  readonly data?: readonly NeededDataset[];
  /** Generation of what is placed now. */
  readonly generationBefore?: number;
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
  | 'preempted'
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
  /** What the check's limit says of the site, when that is known already. */
  readonly limit?: number | undefined;
}

/**
 * The most replicas that a rule lets a site hold: 0 fails the site, Infinity does not limit it. Called once for every site
 * of a decision, so it costs a look at `facts` and no more; `present` are the replicas of the workload that it has now.
 */
export type Limit = (facts: SiteFacts, present: number) => number;

/**
 * What a check reads of a site, as a text. Sites with the same text have the same limit (without replicas there) and,
 * unless the check has `shows` for that, the same explanation but for the site's name in the remedy, so that only one of
 * them is asked.
 */
export interface Facet {
  /** Facets with the same key give the same texts for as long as the inventory does not change. */
  readonly key: string;
  of(facts: SiteFacts): string;
}

/** A hard rule; one file each and one line in the registry. */
export interface Check {
  readonly name: string;
  /** What the check reads of a site, when that takes few values; without it every site is asked. */
  reads?(request: PlaceRequest): Facet | undefined;
  /** What the explanation of a site without replicas is made of, when that is more than `reads`. */
  shows?(request: PlaceRequest): Facet | undefined;
  /** Where no facet tells: a number that is the same for sites without replicas of which, when they pass, the same is said; `limit` is the check's own there. */
  alike?(facts: SiteFacts, limit: number): number;
  /** Once for a decision: what does not depend on the site is worked out here. Undefined when the rule limits no site at all. */
  prepare(request: PlaceRequest, snapshot: Snapshot): Limit | undefined;
  /**
   * By index of site: 0 where the limit of a site without replicas is 0, 1 where it is more. Where this is given, the limit
   * of a site is asked for only when it matters.
   */
  screen?(request: PlaceRequest, snapshot: Snapshot, sites: readonly SiteFacts[]): Uint8Array | undefined;
  /** By index of site: the limit of a site that holds nothing of the workload, for all at once. Undefined where each has to be asked. */
  limits?(request: PlaceRequest, snapshot: Snapshot, sites: readonly SiteFacts[]): Float64Array | undefined;
  /** The value the site has and the value it needs, and the least change that would make it pass. */
  explain(context: CheckContext): { has: string; needs: string; remedy?: string };
}

/** A site that passed every check. */
export interface Candidate {
  readonly facts: SiteFacts;
  /** Its index in the `SiteIndex`. */
  readonly ordinal: number;
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
  /** What `distinct` is at this site; its name without. */
  readonly distinct: string;
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
  /** The least and the most replicas. */
  readonly range: { readonly min: number; readonly max: number };
  /** The least number: fewer are `partial`. */
  readonly wanted: number;
  /** The least number of replicas, and at least 1: an even share of the users, and of the terms over replicas, is one part in so many. */
  readonly parts: number;
  /** Share of the demand that one replica carries. */
  readonly carries: number;
  /** Sorted by name. */
  readonly candidates: readonly Candidate[];
  /** Replicas that candidates hold now and may keep. */
  readonly presentTotal: number;
  readonly users: Users;
  readonly weights: Weights;
}

interface NamedTerm {
  readonly name: string;
  readonly unit: string;
  /** Currency units a month that one unit is worth. */
  weight(weights: Weights): number;
}

/** A term that adds up over sites, convex in the replicas of each; one file each and one line in the registry. */
export interface SiteTerm extends NamedTerm {
  /** What the `nth` replica at a candidate (from 1) adds; never less than the one before it. */
  marginal(problem: Problem, candidate: Candidate, nth: number): number;
  /** What it is without any replica; 0 unless given. */
  withoutAny?(problem: Problem): number;
}

/** A term that adds up over users by where they are served; one file each and one line in the registry. */
export interface DemandTerm extends NamedTerm {
  /** What it would be if all users were served by the candidate: by their round trip in ms, or the same for any. */
  ofAll(problem: Problem, candidate: Candidate): number | ((ms: number) => number);
}
