import {
  BUCKETS,
  EVENT_TYPES,
  HUB,
  JETSTREAM_API,
  LIVE_HEARTBEAT,
  LIVE_STATUS,
  RPC,
  STREAMS,
  bucketStream,
  bucketSubject,
  deadLetterSubject,
  inboxPrefix,
  type BucketName,
  type StreamName,
} from '@skerry/contracts';
import { BACKUP, RESTORE } from './backup-users.js';
import { ownStream, readStream, redeliver } from './stream-grants.js';
import type { Permissions } from './users.js';

/** The users of the hub's bus: one per app, policy's second one in the system account, and people. */
export type AppUser =
  | 'api'
  | 'policy'
  | 'scheduler'
  | 'replicator'
  | 'inventory'
  | 'telemetry'
  | 'policy-sys'
  | 'operator'
  | 'backup'
  | 'restore'
  | 'admin';

/** The account of a user and what it may say and hear there. */
export interface AppGrant {
  account: 'CLOUD' | 'SYS';
  permissions: Permissions;
}

/** What an app does on the bus, from which its permissions follow. */
interface Duties {
  /** Streams and buckets that it alone creates and writes. */
  owns?: readonly Place[];
  /** Streams and buckets that it reads. */
  follows?: readonly Place[];
  /** Further subjects that it publishes, and that it subscribes to. */
  says?: readonly string[];
  hears?: readonly string[];
  /** Requests that it answers, and who may ask. */
  answers?: readonly string[];
  answersTo?: readonly AppUser[];
  /** Whether it answers requests of sites. */
  answersSites?: boolean;
}
type Place = BucketName | StreamName;

/** The server puts a site's reply subject behind one of this form, so an answer reaches that site only. */
const SITE_ANSWERS = '_R_.>';
const ANY = '*';
/** Asks every server of the hub for its health; which of them answers first is not said. */
export const HEALTH_REQUEST = '$SYS.REQ.SERVER.PING.HEALTHZ';

const API: Duties = {
  owns: ['plans'],
  says: [
    'skerry.cmd.>',
    HUB.request(ANY, '>'),
    ...Object.values(RPC).map((subject) => (typeof subject === 'string' ? subject : subject(ANY))),
    // The doctor looks at every stream and consumer.
    '$JS.API.STREAM.INFO.*',
    '$JS.API.STREAM.LIST',
    '$JS.API.CONSUMER.LIST.*',
    '$JS.API.CONSUMER.INFO.*.*',
    ...redeliver(),
  ],
  hears: [HUB.answer(ANY, ANY), LIVE_HEARTBEAT, LIVE_STATUS],
  answers: [RPC.proposal],
  answersTo: ['inventory'],
  follows: [
    ...([
      'workloads',
      'datasets',
      'copies',
      'copyAudit',
      'homes',
      'placements',
      'siteSpecs',
      'siteStates',
      'nodes',
      'outcomes',
      'identities',
    ] as const),
    ...(['status', 'policies', 'EVT', 'DEAD', 'OBSERVED', 'SITELOG'] as const),
  ],
};

const POLICY: Duties = {
  owns: [
    ...(['workloads', 'datasets', 'siteSpecs', 'identities', 'policies', 'outcomes', 'leases'] as const),
    ...(['CMD', 'EVT', 'DEAD'] as const),
  ],
  follows: ['siteStates', 'placements'],
  answers: [RPC.admit, RPC.quotas, RPC.cutOff, RPC.joinTicket, RPC.join, RPC.renew, RPC.retired, RPC.hub],
  answersTo: ['api', 'inventory'],
};

const SCHEDULER: Duties = {
  owns: ['placements', 'decisions', 'inputs'],
  follows: ['workloads', 'datasets', 'copies', 'siteSpecs', 'siteStates', 'nodes', 'policies', 'OBSERVED'],
  answers: [RPC.plan, RPC.why, RPC.whatIf, RPC.move],
  answersTo: ['api'],
};

const REPLICATOR: Duties = {
  owns: ['copies', 'copyAudit', 'dataKeys', 'homes', 'DL', 'REP', 'LOGS', 'CHUNKS', 'GIVEN'],
  // Identities and policies for what each site is to know of who may act there: hashes and public keys alone.
  follows: [
    ...(['placements', 'workloads', 'datasets', 'siteSpecs', 'siteStates', 'OBSERVED'] as const),
    ...(['identities', 'policies'] as const),
  ],
  hears: [
    HUB.digest,
    HUB.copies,
    HUB.records,
    HUB.pull,
    HUB.chunkAsk,
    HUB.chunkPut,
    HUB.chunkGet,
    HUB.logs,
    HUB.entries,
    HUB.entryPull,
  ],
  answers: [RPC.centreLog, RPC.behind],
  answersTo: ['api'],
  says: [
    HUB.request(ANY, 'digest'),
    HUB.recordDelivery(ANY),
    HUB.copyNews(ANY),
    HUB.chunksWanted(ANY),
    HUB.entryDelivery(ANY),
    HUB.logNews(ANY),
    JETSTREAM_API.durableCreate(STREAMS.DL.name, ANY),
    JETSTREAM_API.messageGet(STREAMS.REP.name),
    JETSTREAM_API.messageGet(STREAMS.LOGS.name),
  ],
  answersSites: true,
};

const INVENTORY: Duties = {
  owns: ['siteStates', 'nodes', 'OBSERVED', 'SITELOG'],
  follows: ['siteSpecs', 'placements'],
  // Digests are answered by the replicator; here they count as what a site sends.
  hears: [HUB.intake, HUB.heartbeat, HUB.ping, HUB.retired, HUB.digest, HUB.proposal],
  says: [RPC.cutOff, RPC.retired, RPC.proposal, LIVE_HEARTBEAT],
  answersSites: true,
};

const TELEMETRY: Duties = {
  owns: ['status'],
  follows: ['workloads', 'placements', 'siteSpecs', 'siteStates', 'nodes', 'OBSERVED'],
  answers: [RPC.status, RPC.statusList],
  answersTo: ['api'],
  says: [LIVE_STATUS],
};

/**
 * People hear and say nothing: who may ask the server for something may name any subject as the one to be answered on, also
 * one of a bucket, and the server writes there (seen with 2.15.1). What is stored they read by way of the api. Not
 * `skerry.rpc.>`: join tokens pass there.
 */
const OPERATOR: Permissions = {
  pub: [],
  // `_INBOX.>` is what the `nats` CLI uses by itself; no app does.
  sub: [
    'skerry.evt.>',
    'skerry.cmd.>',
    'skerry.dlq.>',
    LIVE_STATUS,
    '_INBOX.>',
    `${inboxPrefix('operator')}.>`,
  ],
};

/**
 * Every user's permissions; deny by default. An answerer is granted the inboxes of those who ask it, never "the
 * subject it was asked to reply to": whoever asks would then choose where the answerer writes.
 */
export const APP_USERS: Readonly<Record<AppUser, AppGrant>> = {
  api: { account: 'CLOUD', permissions: permissionsOf('api', API) },
  policy: { account: 'CLOUD', permissions: permissionsOf('policy', POLICY) },
  scheduler: { account: 'CLOUD', permissions: permissionsOf('scheduler', SCHEDULER) },
  replicator: { account: 'CLOUD', permissions: permissionsOf('replicator', REPLICATOR) },
  inventory: { account: 'CLOUD', permissions: permissionsOf('inventory', INVENTORY) },
  telemetry: { account: 'CLOUD', permissions: permissionsOf('telemetry', TELEMETRY) },
  'policy-sys': {
    account: 'SYS',
    permissions: {
      pub: ['$SYS.REQ.CLAIMS.UPDATE', '$SYS.REQ.CLAIMS.DELETE', HEALTH_REQUEST],
      sub: [`${inboxPrefix('policy-sys')}.>`],
    },
  },
  operator: { account: 'CLOUD', permissions: OPERATOR },
  /** `skerry backup create`; and `restore`, whose credentials lie in the safe. */
  backup: { account: 'CLOUD', permissions: BACKUP },
  restore: { account: 'CLOUD', permissions: RESTORE },
  /** Everything inside CLOUD: tests, benchmarks, repair. No app runs with it. */
  admin: { account: 'CLOUD', permissions: { pub: ['>'], sub: ['>'] } },
};

function permissionsOf(name: AppUser, duties: Duties): Permissions {
  const { owns = [], follows = [], says = [], hears = [], answers = [], answersTo = [] } = duties;
  const leases = name === 'api' ? [] : [bucketSubject(BUCKETS.leases.name, name), ...readStream('KV_leases')];
  const pub = [
    '$JS.API.INFO',
    '$JS.API.STREAM.NAMES',
    ...owns.flatMap((place) => [...ownStream(streamOf(place)), ...writes(place)]),
    ...[...owns, ...follows].flatMap((place) => readStream(streamOf(place))),
    ...says,
    ...answersTo.map((user) => `${inboxPrefix(user)}.>`),
    ...(duties.answersSites === true ? [SITE_ANSWERS] : []),
    ...eventsOf(name),
    ...leases,
    ...(name === 'api' ? [] : [deadLetterSubject(name, ANY), `${inboxPrefix('api')}.>`, ...redeliver()]),
    // Whoever writes into them waits at its start until they are there.
    '$JS.API.STREAM.INFO.EVT',
    '$JS.API.STREAM.INFO.DEAD',
  ];
  const sub = [
    `${inboxPrefix(name)}.>`,
    ...hears,
    ...answers,
    // Also how the doctor finds out who answers.
    RPC.redeliver(name),
  ];
  return { pub: unique(pub), sub: unique(sub) };
}

/** What the owner publishes. Commands and dead letters are written by others into what policy keeps. */
function writes(place: Place): string[] {
  if (isBucket(place)) return [bucketSubject(BUCKETS[place].name, '>')];
  switch (place) {
    case 'CMD':
    case 'EVT':
    case 'DEAD':
    // Sites alone write there.
    case 'GIVEN':
      return [];
    case 'DL':
    case 'REP':
    case 'CHUNKS':
    case 'LOGS':
    case 'OBSERVED':
    case 'SITELOG':
      return [...STREAMS[place].subjects];
  }
}

function eventsOf(name: AppUser): string[] {
  return Object.entries(EVENT_TYPES)
    .filter(([, { by }]) => by === name)
    .map(([type]) => `skerry.evt.${type}.>`);
}

function streamOf(place: Place): string {
  return isBucket(place) ? bucketStream(BUCKETS[place].name) : STREAMS[place].name;
}

function isBucket(place: Place): place is BucketName {
  return place in BUCKETS;
}

function unique(subjects: readonly string[]): string[] {
  return [...new Set(subjects)];
}
