import type { EventType } from './event.js';
import type { CommandVerb } from './command.js';

/** Every subject, stream and bucket of Skerry, in one place. Tokens run from broad to narrow. */

const NONE = '_';
const DAY_S = 86_400;

/** Names a command's subject: `skerry.cmd.<noun>.<verb>.<project>.<name>`; `_` where there is none or several. */
export const commandSubject = (verb: CommandVerb, project = NONE, name = NONE) =>
  `skerry.cmd.${verb}.${project}.${name}`;
/** Names an event's subject: `skerry.evt.<noun>.<past tense>.<project>.<name>`. */
export const eventSubject = (type: EventType, name: string, project = NONE) =>
  `skerry.evt.${type}.${project}.${name}`;
/** Subjects of events: of one type, of all types of a noun (`workload`), or all. */
export const eventFilter = (type = '>') =>
  type === '>' ? 'skerry.evt.>' : `skerry.evt.${type.includes('.') ? type : `${type}.*`}.*.*`;
/** Where a message goes that could not be handled: `skerry.dlq.<app>.<stream>`. */
export const deadLetterSubject = (app: string, stream: string) => `skerry.dlq.${app}.${stream}`;

/** Desired objects of a site, hub stream `DL`. */
export const desiredSubject = (site: string, project: string, name: string) =>
  `desired.${site}.assignment.${project}.${name}`;
export const retirementSubject = (site: string) => `desired.${site}.site.${NONE}.${site}`;
/** Who may act at a site without the hub: `desired.<site>.access._.<site>`. */
export const accessSubject = (site: string) => `desired.${site}.access.${NONE}.${site}`;
/** Journals of sites as the hub keeps them, stream `SITELOG`: what may be pushed out by more of its kind, and what not by that. */
export const siteLogSubject = (site: string, kind: 'journal' | 'event') => `sitelog.${site}.${kind}`;
export const nodeRulesSubject = (site: string) => `desired.${site}.site.${NONE}.nodes`;
/**
 * Records of datasets, stream `REP`: the newest word of each store on each key, `rep.<project>.<dataset>.<site>.<store>.<key>`.
 * `keyToken` is a digest of the key, one token.
 */
export const recordSubject = (dataset: { project: string; name: string }, origin: string, keyToken: string) =>
  `rep.${dataset.project}.${dataset.name}.${origin}.${keyToken}`;
/** All records of a dataset, or of one of its stores. */
export const recordFilter = (dataset: { project: string; name: string }, origin?: string) =>
  `rep.${dataset.project}.${dataset.name}.${origin === undefined ? '' : `${origin}.`}>`;
/** Chunks of objects, stream `CHUNKS`: `chunk.<project>.<dataset>.<incarnation>.<digest>.<bytes>`. */
export const chunkSubject = (
  { project, name, incarnation }: { project: string; name: string; incarnation: number },
  { digest, bytes }: { digest: string; bytes: number },
) => `chunk.${project}.${name}.${incarnation}.${digest}.${bytes}`;
/** All chunks of a dataset; without an incarnation, of all that ever had its name. */
export const chunkFilter = (dataset: { project: string; name: string; incarnation?: number }) =>
  `chunk.${dataset.project}.${dataset.name}.${dataset.incarnation === undefined ? '' : `${dataset.incarnation}.`}>`;
/** Who writes into `REP`: each new leader of the replicator; its sequence fences what an older one still sends. */
export const RECORDS_EPOCH = 'repepoch';
/** Entries of logs, stream `LOGS`: a message is a batch of one store, `log.<project>.<dataset>.<site>.<store>`. */
export const entriesSubject = (dataset: { project: string; name: string }, origin: string) =>
  `log.${dataset.project}.${dataset.name}.${origin}`;
/** All entries of a log, or those that were written at one site. */
export const entriesFilter = (dataset: { project: string; name: string }, site?: string) =>
  `log.${dataset.project}.${dataset.name}.${site === undefined ? '' : `${site}.`}>`;
/** Who writes into `LOGS`, as `RECORDS_EPOCH` for `REP`. */
export const ENTRIES_EPOCH = 'logepoch';

export const desiredFilter = (site: string) => `desired.${site}.>`;
/** Reports of sites as the hub keeps them, stream `OBSERVED`: one message a subject. */
export const observedSubject = (site: string, project: string, name: string) =>
  `observed.${site}.workload.${project}.${name}`;
export const observedNodeSubject = (site: string, node: string) => `observed.${site}.node.${NONE}.${node}`;

/**
 * At the site (account SITE). `up.>` is imported from the hub's `ing.<account>.>`, `rpc.>` from `rpc.<account>.>`,
 * `dl.>` from `dl.<account>.>`: the server puts the account in, so that no site can speak for another.
 */
export const SITE = {
  outbox: 'out.>',
  outboxWorkload: (project: string, name: string) => `out.workload.${project}.${name}`,
  outboxNode: (node: string) => `out.node.${NONE}.${node}`,
  /** The uplink subject for an outbox subject. */
  uplink: (outboxSubject: string) => `up.${outboxSubject.slice('out.'.length)}`,
  heartbeat: 'rpc.heartbeat',
  ping: 'rpc.ping',
  digest: 'rpc.digest',
  /** A local change, to be made a command of. */
  proposal: 'rpc.proposal',
  /** A retired site's last words. */
  retired: 'rpc.retired',
  /** Of datasets: which copies a node shall have, its writes on their way up, and what a copy lacks. */
  copies: 'rpc.copies',
  records: 'rpc.records',
  pull: 'rpc.pull',
  /** Of objects: which chunks the hub lacks, a chunk on its way up, and one that is asked for. */
  chunkAsk: 'rpc.chunkask',
  chunkPut: 'rpc.chunkput',
  chunkGet: 'rpc.chunkget',
  /** Chunks that somebody asked for and the hub has not got. */
  chunksWanted: 'dl.chunks',
  /** What is new in datasets, and which copies there shall be. */
  recordDelivery: 'dl.records',
  copyNews: 'dl.copies',
  /** Of logs: which there shall be, entries on their way up, and what is lacking; what is new, and that something is. */
  logs: 'rpc.logs',
  entries: 'rpc.entries',
  entryPull: 'rpc.entrypull',
  entryDelivery: 'dl.entries',
  logNews: 'dl.logs',
  answer: (id: string) => `rpc.answer.${id}`,
  requests: 'dl.req.>',
  request: (verb: string) => `dl.req.${verb}`,
  delivery: 'dl.d',
  /** Entries of the site's journal; and where they go up. */
  journal: (kind: string) => `journal.${kind}`,
  journalUplink: `up.journal.${NONE}.batch`,
} as const;

/** At the site alone: no server lets `local.>` past the leaf connection. */
export const LOCAL = {
  /** Requests of people at the site; permissions of their user. */
  operations: 'local.op.>',
  request: 'local.op.request',
  /** The user that they connect as, with an inbox of its own; lines of a log come to it. */
  user: 'operator',
  /** Among the nodes of a site with several. */
  beat: 'local.beat',
  pulse: 'local.pulse',
  digest: 'local.digest',
  logPage: (id: string) => `_INBOX_operator.logs.${id}`,
  /** Every node of the site is to send its lines of a log there; and goes on as long as it hears the other. */
  logs: 'local.logs',
  logsMore: 'local.logs-more',
} as const;

/** The same crossings as the hub hears and says them (account CLOUD); `*` or an account id. */
export const HUB = {
  intake: 'ing.*.>',
  heartbeat: 'rpc.*.heartbeat',
  ping: 'rpc.*.ping',
  digest: 'rpc.*.digest',
  proposal: 'rpc.*.proposal',
  retired: 'rpc.*.retired',
  copies: 'rpc.*.copies',
  records: 'rpc.*.records',
  pull: 'rpc.*.pull',
  chunkAsk: 'rpc.*.chunkask',
  chunkPut: 'rpc.*.chunkput',
  chunkGet: 'rpc.*.chunkget',
  chunksWanted: (account: string) => `dl.${account}.chunks`,
  recordDelivery: (account: string) => `dl.${account}.records`,
  copyNews: (account: string) => `dl.${account}.copies`,
  logs: 'rpc.*.logs',
  entries: 'rpc.*.entries',
  entryPull: 'rpc.*.entrypull',
  entryDelivery: (account: string) => `dl.${account}.entries`,
  logNews: (account: string) => `dl.${account}.logs`,
  answer: (account: string, id: string) => `rpc.${account}.answer.${id}`,
  request: (account: string, verb: string) => `dl.${account}.req.${verb}`,
  delivery: (account: string) => `dl.${account}.d`,
} as const;

/** Requests between apps of the control plane: `skerry.rpc.<app>.<verb>`, answered by any instance. */
export const RPC = {
  plan: 'skerry.rpc.scheduler.plan',
  why: 'skerry.rpc.scheduler.why',
  /** What would be placed where without a site, with a site drained, or with moves that gain; not committed. */
  whatIf: 'skerry.rpc.scheduler.whatif',
  /** Makes the moves of a rebalance; answered by the active scheduler alone. */
  move: 'skerry.rpc.scheduler.move',
  /** How much of a dataset lies at the hub behind given places; answered by the active replicator alone. */
  behind: 'skerry.rpc.replicator.behind',
  status: 'skerry.rpc.telemetry.status',
  statusList: 'skerry.rpc.telemetry.list',
  /** What an apply would be, decided but not committed. */
  admit: 'skerry.rpc.policy.admit',
  cutOff: 'skerry.rpc.policy.cutoff',
  /** What projects may have, and what they take of it. */
  quotas: 'skerry.rpc.policy.quotas',
  joinTicket: 'skerry.rpc.policy.ticket',
  join: 'skerry.rpc.policy.join',
  renew: 'skerry.rpc.policy.renew',
  /** A site's last word, which inventory has heard and passes on. */
  retired: 'skerry.rpc.policy.retired',
  /** How the hub's server fares that policy is connected to. */
  hub: 'skerry.rpc.policy.hub',
  /** A site's local change, which inventory has heard and passes on: api checks who made it, and makes a command of it. */
  proposal: 'skerry.rpc.api.proposal',
  /** Reads the centre's log, or appends to it; answered by the active replicator alone. */
  centreLog: 'skerry.rpc.replicator.log',
  /** Handle a dead letter again: `skerry.rpc.<app>.redeliver`. */
  redeliver: (app: string) => `skerry.rpc.${app}.redeliver`,
} as const;

/** Changes of the read model as they happen; plain messages, never stored. */
export const liveStatusSubject = (project: string, name: string) => `skerry.live.status.${project}.${name}`;
export const LIVE_STATUS = 'skerry.live.status.>';

/** Heartbeats of sites as inventory passes them on, one a second and site at most; plain messages, never stored. */
export const liveHeartbeatSubject = (account: string) => `skerry.live.heartbeat.${account}`;
export const LIVE_HEARTBEAT = 'skerry.live.heartbeat.*';

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

/** The server's own API, for what the bus has no word for: `DL` with a first sequence, and the durable consumers that sites source from. */
export const JETSTREAM_API = {
  streamCreate: (stream: string) => `$JS.API.STREAM.CREATE.${stream}`,
  streamInfo: (stream: string) => `$JS.API.STREAM.INFO.${stream}`,
  /** The message of a subject, as it lies there: without JSON around it. */
  directGet: (stream: string, subject: string) => `$JS.API.DIRECT.GET.${stream}.${subject}`,
  streamDelete: (stream: string) => `$JS.API.STREAM.DELETE.${stream}`,
  durableCreate: (stream: string, durable: string) => `$JS.API.CONSUMER.DURABLE.CREATE.${stream}.${durable}`,
  consumerInfo: (stream: string, durable: string) => `$JS.API.CONSUMER.INFO.${stream}.${durable}`,
  streamPurge: (stream: string) => `$JS.API.STREAM.PURGE.${stream}`,
  /** The newest message below a subject, or the first from a sequence on, as the stream's leader has it. */
  messageGet: (stream: string) => `$JS.API.STREAM.MSG.GET.${stream}`,
  consumerDelete: (stream: string, durable: string) => `$JS.API.CONSUMER.DELETE.${stream}.${durable}`,
} as const;

/** Prefix of a user's inboxes on the hub: each has its own, so that none hears the answers to another. Set it on the connection. */
export const inboxPrefix = (user: string) => `_INBOX_${user}`;

/** Headers that Skerry adds to messages. */
export const HEADERS = {
  requestId: 'Skerry-Request',
  version: 'Skerry-Version',
  /** On a write of a site: what changed, which its event is made from. */
  change: 'Skerry-Change',
  /** By which contracts a value was made: see `byContract`. */
  contracts: 'Skerry-Contracts',
  traceparent: 'traceparent',
  deadReason: 'Skerry-Dead-Reason',
  deadSubject: 'Skerry-Dead-Subject',
  deadStream: 'Skerry-Dead-Stream',
  deadApp: 'Skerry-Dead-App',
  deadConsumer: 'Skerry-Dead-Consumer',
  deadSequence: 'Skerry-Dead-Sequence',
  deadDeliveries: 'Skerry-Dead-Deliveries',
} as const;
