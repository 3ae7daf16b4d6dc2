import type { EventType } from './event.js';
import type { CommandVerb } from './command.js';

/** Every subject of Skerry, in one place; `streams.ts` has streams and buckets. Tokens run from broad to narrow. */

const NONE = '_';

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
/** Where chunks lie: with a dataset, or (`residency.origin`) with one area of it. */
export interface ChunkPlace {
  project: string;
  name: string;
  incarnation: number;
  area?: string | undefined;
}
const chunkPlace = ({ project, name, incarnation, area }: ChunkPlace) =>
  `chunk.${project}.${name}.${incarnation}${area === undefined ? '' : `.${area}`}`;
/** Chunks of objects, stream `CHUNKS`: `chunk.<project>.<dataset>.<incarnation>[.<area>].<digest>.<bytes>`. */
export const chunkSubject = (place: ChunkPlace, { digest, bytes }: { digest: string; bytes: number }) =>
  `${chunkPlace(place)}.${digest}.${bytes}`;
/** All chunks at one place. */
export const chunksAt = (place: ChunkPlace) => `${chunkPlace(place)}.*.*`;
/** All chunks of a dataset, of every area; without an incarnation, of all that ever had its name. */
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
  /** What a site gives to another without anybody between but the hub's server, by a mark of two tokens; and what it is given so. */
  give: (mark: string, account: string) => `rpc.give.${mark}.${account}`,
  given: 'dl.given.*',
  givenBy: (account: string) => `dl.given.${account}`,
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

/**
 * What replicas say to their node's agent at the site's server (account LOCAL, bound to nothing): the server lets each say only what
 * carries its own id, so the subject itself says who asks. `<replica>` is its SKERRY_REPLICA, four tokens.
 */
export const APP = {
  /** All that a replica may say: `app.<replica>.<dataset>.<verb>`, and `app.<replica>.ownership`. */
  all: (replica: string) => `app.${replica}.>`,
  /** What is asked, of the subject of a question. */
  askedIn: (replica: string, subject: string) => subject.slice(`app.${replica}.`.length).split('.'),
  /** Prefix of a replica's inboxes: it hears nothing else, and is answered nowhere else. */
  inbox: (replica: string) => `_INBOX.${replica}`,
  /** The user that agents connect as. */
  agent: 'agent',
  /** The server asks there about a login that it does not know by itself. */
  logins: '$SYS.REQ.USER.AUTH',
  /** Connections of the account, and the end of one. */
  connections: '$SYS.REQ.ACCOUNT.PING.CONNZ',
  kick: (server: string) => `$SYS.REQ.SERVER.${server}.KICK`,
  /** Headers of an answer that says no, as the services of NATS have them. */
  error: 'Nats-Service-Error',
  errorCode: 'Nats-Service-Error-Code',
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
  /** `rpc.<who gives>.give.<mark>.<who is given>`, said again by the server on `dl.<who is given>.given.<who gives>`. */
  give: 'rpc.*.give.*.*.*',
  given: 'dl.$4.given.$1',
  givenTo: (account: string, by: string) => `dl.${account}.given.${by}`,
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

/** What sites may give each other by one mark. */
export const givesBy = (mark: string) => `rpc.*.give.${mark}.*`;

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
