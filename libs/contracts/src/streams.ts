import { LIMITS } from './limits.js';
import { ENTRIES_EPOCH, givesBy, HUB, RECORDS_EPOCH, SITE } from './subjects.js';

/** Every stream and bucket of Skerry, in one place. */

const DAY_S = 86_400;
export interface StreamDefinition {
  name: string;
  subjects: string[];
  /** Who creates and reconciles it. */
  owner: string;
  maxAgeS?: number;
  maxBytes: number;
  maxMessagesPerSubject?: number;
  /** What happens at `maxBytes`. */
  discard: 'old' | 'new';
  duplicateWindowS: number;
  maxConsumers?: number;
  /** Several messages may be stored in one transaction. */
  atomic?: boolean;
  retention?: 'limits' | 'workqueue';
  /**
   * Nothing is kept and nobody reads it: the server says each message again as it comes, on `to`, where `$1` is what the first `*` of
   * `from` stands for. So a message of one site reaches another, which no export and import alone do: a server hands nothing on to an
   * importer that came in by a service (nats-server 2.15.1).
   */
  saysAgain?: { from: string; to: string };
  maxMessageBytes?: number;
}

const MIB = 1024 * 1024;

export const STREAMS = {
  /** Commands until policy has handled them. Full means that api answers `storage-full`. */
  CMD: {
    name: 'CMD',
    subjects: ['skerry.cmd.>'],
    owner: 'policy',
    maxAgeS: 7 * DAY_S,
    maxBytes: 256 * MIB,
    discard: 'new',
    duplicateWindowS: 3_600,
    retention: 'workqueue',
  },
  /** Events for people and other systems. */
  EVT: {
    name: 'EVT',
    subjects: ['skerry.evt.>'],
    owner: 'policy',
    maxAgeS: 7 * DAY_S,
    maxBytes: 512 * MIB,
    discard: 'old',
    duplicateWindowS: 3_600,
    atomic: true,
  },
  /** What could not be handled, with its reason. */
  DEAD: {
    name: 'DEAD',
    subjects: ['skerry.dlq.>'],
    owner: 'policy',
    maxAgeS: 30 * DAY_S,
    maxBytes: 128 * MIB,
    discard: 'old',
    duplicateWindowS: 3_600,
  },
  /** What is wanted at each site; derived, never backed up. */
  DL: {
    name: 'DL',
    subjects: ['desired.>'],
    owner: 'replicator',
    maxBytes: 1_024 * MIB,
    maxMessagesPerSubject: 1,
    discard: 'new',
    duplicateWindowS: 120,
    maxConsumers: 5_000,
  },
  /** The newest report of each workload and node at each site. */
  OBSERVED: {
    name: 'OBSERVED',
    subjects: ['observed.>'],
    owner: 'inventory',
    maxBytes: 1_024 * MIB,
    maxMessagesPerSubject: 1,
    discard: 'new',
    duplicateWindowS: 120,
    atomic: true,
  },
  /** Records of datasets as sites wrote them. Full means that they stay where they were written until there is room. */
  REP: {
    name: 'REP',
    subjects: ['rep.>', RECORDS_EPOCH],
    owner: 'replicator',
    maxBytes: 1_024 * MIB,
    maxMessagesPerSubject: 1,
    discard: 'new',
    duplicateWindowS: 120,
    atomic: true,
  },
  /** Records on their way from one site to others, before they lie in `REP`. Its subjects are those that the active replicator says. */
  GIVEN: {
    name: 'GIVEN',
    subjects: [givesBy('0.none')],
    owner: 'replicator',
    maxBytes: 64 * 1024,
    maxMessageBytes: LIMITS.givenBytes + 2 * 1024,
    discard: 'old',
    duplicateWindowS: 1,
    saysAgain: { from: HUB.give, to: HUB.given },
  },
  /** Entries of logs, within each dataset's own limits. Full means that they stay where they were written until there is room. */
  LOGS: {
    name: 'LOGS',
    subjects: ['log.>', ENTRIES_EPOCH],
    owner: 'replicator',
    maxBytes: 512 * MIB,
    discard: 'new',
    duplicateWindowS: 3_600,
    atomic: true,
  },
  /**
   * Chunks of objects, each once in its dataset, for as long as an object names it. Full means that they stay where they were
   * written until there is room; an operator may make it larger.
   */
  CHUNKS: {
    name: 'CHUNKS',
    subjects: ['chunk.>'],
    owner: 'replicator',
    maxBytes: 6 * 1_024 * MIB,
    maxMessagesPerSubject: 1,
    discard: 'new',
    duplicateWindowS: 1,
  },
  /**
   * What happened at sites, from their own journals: a message is a batch of entries (`journalBatchBytes`). No site has more than
   * its share, 8 MiB of each kind, and its events push out none of what people did there.
   */
  SITELOG: {
    name: 'SITELOG',
    subjects: ['sitelog.*.*'],
    owner: 'inventory',
    maxAgeS: 30 * DAY_S,
    maxBytes: 512 * MIB,
    maxMessagesPerSubject: 256,
    discard: 'old',
    duplicateWindowS: 3_600,
  },
} as const satisfies Record<string, StreamDefinition>;
export type StreamName = keyof typeof STREAMS;

/** Streams of a site's own server. */
export const SITE_STREAMS = {
  /** Durably sources `DL`. */
  DESIRED: 'DESIRED',
  /** The outbox: bounded, new refused when full, newest report per subject. */
  OUT: 'OUT',
  /** Audit and state entries: bounded, new refused when full. */
  JOURNAL: 'JOURNAL',
  /** Other entries: bounded, the oldest go. */
  EVENTS: 'EVENTS',
} as const;
/** Bytes of a site's outbox. */
export const OUTBOX_MAX_BYTES = 64 * MIB;
/** A site's journal, by default of its `site.json` with so much room. */
export const SITE_JOURNALS = {
  /** A full one refuses, so that nothing of it is dropped. */
  JOURNAL: {
    name: SITE_STREAMS.JOURNAL,
    subjects: [SITE.journal('audit'), SITE.journal('state')],
    owner: 'agent',
    maxBytes: 16 * MIB,
    discard: 'new',
    duplicateWindowS: 120,
  },
  EVENTS: {
    name: SITE_STREAMS.EVENTS,
    subjects: [SITE.journal('event')],
    owner: 'agent',
    maxBytes: 16 * MIB,
    discard: 'old',
    duplicateWindowS: 120,
  },
} as const satisfies Record<string, StreamDefinition>;

export interface BucketDefinition {
  name: string;
  owner: string;
  /** Oldest value of a key is dropped after this; absent: kept. */
  maxAgeS?: number;
  maxBytes: number;
  /** Keys may carry a time to live of their own (leases). */
  perKeyTtl?: boolean;
  /** Several keys may change in one transaction. */
  atomic?: boolean;
  history?: number;
  /** What happens at `maxBytes`. Default `new`: what can be lost is refused, not forgotten. */
  discard?: 'old' | 'new';
}

export const BUCKETS = {
  workloads: { name: 'workloads', owner: 'policy', maxBytes: 512 * MIB, atomic: true },
  datasets: { name: 'datasets', owner: 'policy', maxBytes: 64 * MIB, atomic: true },
  /** Where copies of datasets are, of those whose copies are chosen. */
  copies: { name: 'copies', owner: 'replicator', maxBytes: 64 * MIB },
  /** Since when and by which rule sites have copies, and what was refused there. */
  copyAudit: { name: 'copy-audit', owner: 'replicator', maxBytes: 128 * MIB },
  /** Where the homes of datasets are, of those that move with a workload. */
  homes: { name: 'homes', owner: 'replicator', maxBytes: 32 * MIB },
  /** Keys of encrypted datasets, wrapped for the nodes that may have them. */
  dataKeys: { name: 'data-keys', owner: 'replicator', maxBytes: 256 * MIB },
  siteSpecs: { name: 'site-specs', owner: 'policy', maxBytes: 64 * MIB },
  identities: { name: 'identities', owner: 'policy', maxBytes: 64 * MIB },
  policies: { name: 'policies', owner: 'policy', maxBytes: 16 * MIB },
  outcomes: { name: 'outcomes', owner: 'policy', maxAgeS: DAY_S, maxBytes: 256 * MIB },
  placements: { name: 'placements', owner: 'scheduler', maxBytes: 512 * MIB, atomic: true },
  /**
   * Every decision's inputs, written once and never changed: key `<epoch>.<batch>`. The oldest go when it is full. Longer
   * than the 30 days that `why` answers for: a decision leans on what was written up to 15 days before it.
   */
  decisions: {
    name: 'decisions',
    owner: 'scheduler',
    maxAgeS: 45 * DAY_S,
    maxBytes: 512 * MIB,
    discard: 'old',
  },
  /** Content-addressed snapshots that decisions are replayed from: key the digest's hexadecimal digits. Outlives `decisions`. */
  inputs: { name: 'inputs', owner: 'scheduler', maxAgeS: 45 * DAY_S, maxBytes: 512 * MIB, discard: 'old' },
  siteStates: { name: 'site-states', owner: 'inventory', maxBytes: 64 * MIB },
  nodes: { name: 'nodes', owner: 'inventory', maxBytes: 64 * MIB },
  status: { name: 'status', owner: 'telemetry', maxBytes: 128 * MIB, atomic: true },
  /** Plans for `apply --plan`, 24 h. */
  plans: { name: 'plans', owner: 'api', maxAgeS: DAY_S, maxBytes: 128 * MIB, discard: 'old' },
  leases: { name: 'leases', owner: 'policy', maxBytes: 16 * MIB, perKeyTtl: true },
} as const satisfies Record<string, BucketDefinition>;
export type BucketName = keyof typeof BUCKETS;

/** Buckets of a site's own server. */
export const SITE_BUCKETS = {
  /** Nodes of the site, each written by itself. */
  members: { name: 'members', owner: 'agent', maxBytes: 8 * MIB },
  /** Which node runs what, written by the controller. */
  allotments: { name: 'allotments', owner: 'agent', maxBytes: 64 * MIB },
  /** The newest report of each workload by each node, key `<node>.<project>.<name>`. */
  seen: { name: 'seen', owner: 'agent', maxBytes: 128 * MIB },
  /** Local changes and what they put in place of what the hub wants. */
  overrides: { name: 'overrides', owner: 'agent', maxBytes: 16 * MIB, atomic: true },
} as const satisfies Record<string, BucketDefinition>;

/** Lease at the site's server by whose holder the site acts as one. */
export const CONTROLLER_LEASE = 'controller';
/** Key in `allotments` whose sequence fences what the controller writes. */
export const SITE_EPOCH_KEY = 'epoch';

/** The stream under a bucket, and the subject of one key. */
export const bucketStream = (bucket: string) => `KV_${bucket}`;
export const bucketSubject = (bucket: string, key: string) => `$KV.${bucket}.${key}`;
/** Key in `placements` whose sequence fences commits: each new leader of the scheduler writes it. */
export const EPOCH_KEY = 'epoch';
