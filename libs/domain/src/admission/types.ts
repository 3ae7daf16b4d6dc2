import type {
  Change,
  Command,
  Dataset,
  DatasetSpec,
  DemandPoint,
  ErrorCode,
  Issue,
  Quota,
  Site,
  UserGroup,
  Workload,
  WorkloadSpec,
} from '@skerry/contracts';

/** Where a group of users is, in at most `most` points whose weights add up to 1; or what is wrong with the place. */
export type Located =
  | { ok: true; points: readonly DemandPoint[] }
  | { ok: false; field: 'country' | 'city'; problem: string; allowed?: string };

/** What admission needs to have worked out for it: both are pure. */
export interface AdmissionTools {
  /** Content digest of a spec in canonical form. */
  digest: (spec: WorkloadSpec | DatasetSpec | Readonly<Record<string, string>>) => string;
  /** Coordinates of a country or city. */
  locate: (group: UserGroup, most: number) => Located;
  /** Whether policy admitted exactly this once. Absent: nothing that was is known. */
  warranted?: (workload: Warranted, warrant: string) => boolean;
  /** The same of a dataset. */
  warrantedDataset?: (dataset: WarrantedDataset, warrant: string) => boolean;
}

/** What a warrant is of. */
export type Warranted = Pick<Workload, 'project' | 'name' | 'generation' | 'labels' | 'specDigest'>;
export type WarrantedDataset = Pick<
  Dataset,
  'project' | 'name' | 'generation' | 'incarnation' | 'labels' | 'specDigest'
>;

/** What is known when a command is decided. Tombstones of removed workloads and sites are in it. */
export interface AdmissionState {
  /** Those that the command is about, and those that they want to be near to or apart from. */
  workload(project: string, name: string): Workload | undefined;
  /** Those that the command is about, and those that its workloads say they use. */
  dataset(project: string, name: string): Dataset | undefined;
  /** Names of workloads that say they use a dataset, as last heard; absent: nobody looks. */
  usersOf?(project: string, dataset: string): Iterable<string>;
  /** Jurisdictions of all servers of the hub; undefined: nobody has said. */
  hubJurisdictions?: readonly string[] | undefined;
  site(name: string): Site | undefined;
  /** Every site as last heard. */
  sites(): Iterable<Site>;
  /** What every workload of a project takes, that is not removed. Asked only when the project has a quota. */
  claimsOf(project: string): Iterable<Claim>;
  /** One without limits was removed. */
  quota(project: string): Quota | undefined;
}

/** What a workload takes of its project's quota: every replica it wants, placed or not; a stopped one wants none. */
export interface Claim {
  name: string;
  replicas: number;
  cpuMillicores: number;
  memoryMiB: number;
  /** Whole GPUs; a share counts as its part of one. */
  gpus: number;
}

export interface AdmissionRequest {
  command: Command;
  /** Its sequence in stream `CMD`: what orders commands. */
  sequence: number;
  /** RFC 3339 with milliseconds. */
  now: string;
  /** Public key of the account made for `site.add`. */
  account?: string;
  /** It has waited long enough: it is answered by what was read, though that may be read in part. */
  isOverdue?: boolean;
}

/** What a decision writes: new values of nouns, all or none. */
export interface Writes {
  workloads: readonly Workload[];
  datasets: readonly Dataset[];
  sites: readonly Site[];
  quotas: readonly Quota[];
}

/** A refusal with every reason, as the asker reads it. */
export interface Rejected {
  ok: false;
  code: ErrorCode;
  title: string;
  issues: readonly Issue[];
  hint?: string;
  /** No answer: what it was decided on was read only in part. It is to be read, and decided, again. */
  again?: true;
}

/** The decision on a command: what is written and what the asker is told; or why not. */
export type Admission = { ok: true; writes: Writes; changes: readonly Change[] } | Rejected;

export const NO_WRITES: Writes = { workloads: [], datasets: [], sites: [], quotas: [] };

/** A refusal. */
export function rejected(
  code: ErrorCode,
  title: string,
  more: { issues?: readonly Issue[]; hint?: string } = {},
): Rejected {
  const { issues = [], hint } = more;
  return { ok: false, code, title, issues, ...(hint === undefined ? {} : { hint }) };
}
