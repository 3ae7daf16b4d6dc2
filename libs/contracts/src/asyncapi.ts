import type { CatalogName } from './catalog.js';
import { commandBodySchema } from './command.js';
import { EVENT_TYPES, eventTypeSchema } from './event.js';
import { keysOf } from './primitives.js';
import {
  accessSubject,
  commandSubject,
  deadLetterSubject,
  desiredSubject,
  entriesSubject,
  eventSubject,
  HUB,
  liveHeartbeatSubject,
  liveStatusSubject,
  observedNodeSubject,
  observedSubject,
  nodeRulesSubject,
  recordSubject,
  retirementSubject,
  RPC,
  siteLogSubject,
} from './subjects.js';
import { BUCKETS, STREAMS, bucketSubject, EPOCH_KEY, type BucketName } from './streams.js';

/** One subject of the bus: who says it and what it carries. */
interface Channel {
  name: string;
  address: string;
  by: string;
  summary: string;
  message: CatalogName;
  /** Body of the answer, where it is a request. */
  answer?: CatalogName;
}

const BUCKET_NOUNS: Readonly<Record<Exclude<BucketName, 'leases' | 'identities'>, CatalogName>> = {
  workloads: 'Workload',
  datasets: 'Dataset',
  copies: 'CopySet',
  copyAudit: 'CopyAudit',
  dataKeys: 'DataKey',
  homes: 'DatasetHome',
  siteSpecs: 'Site',
  policies: 'Quota',
  outcomes: 'Outcome',
  placements: 'Placement',
  siteStates: 'SiteState',
  nodes: 'Node',
  status: 'Announced',
  decisions: 'DecisionBatch',
  inputs: 'HistoryBlob',
  plans: 'KeptPlan',
};

/** The AsyncAPI 3.0 document of the bus, made from the subjects and schemas of this room. */
export function asyncApiDocument(): Record<string, unknown> {
  const channels = allChannels();
  const messages = [
    ...new Set(channels.flatMap((c) => [c.message, ...(c.answer ? [c.answer] : [])])),
  ].toSorted();
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Skerry',
      version: '1.0.0',
      description: 'Every subject of the hub, who says it, and the schema of what it carries.',
      license: { name: 'Apache-2.0' },
    },
    defaultContentType: 'application/json',
    channels: Object.fromEntries(channels.map((c) => [c.name, channelOf(c)])),
    operations: Object.fromEntries(channels.map((c) => [`say ${c.name}`, operationOf(c)])),
    components: {
      messages: Object.fromEntries(
        messages.map((name) => [name, { name, payload: { $ref: `./schemas/${name}.json` } }]),
      ),
    },
  };
}

function channelOf({ address, summary, message, answer }: Channel) {
  const parameters = [...address.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => [
    name,
    { description: name },
  ]);
  const messages = [message, ...(answer ? [answer] : [])];
  return {
    address,
    description: summary,
    ...(parameters.length > 0 ? { parameters: Object.fromEntries(parameters) } : {}),
    messages: Object.fromEntries(messages.map((m) => [m, { $ref: `#/components/messages/${m}` }])),
  };
}

function operationOf({ name, by, message, answer }: Channel) {
  const channel = { $ref: `#/channels/${pointer(name)}` };
  const messageOf = (m: CatalogName) => ({ $ref: `#/channels/${pointer(name)}/messages/${m}` });
  return {
    action: 'send',
    channel,
    tags: [{ name: by }],
    messages: [messageOf(message)],
    ...(answer ? { reply: { channel, messages: [messageOf(answer)] } } : {}),
  };
}

/** A key as a part of a JSON pointer in a URL. */
function pointer(key: string): string {
  return encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1'));
}

function allChannels(): Channel[] {
  return [...commands(), ...events(), ...buckets(), ...sites(), ...datasets(), ...requests(), ...others()];
}

function commands(): Channel[] {
  return commandBodySchema.options.map((option) => {
    const verb = option.shape.verb.value;
    const address = commandSubject(verb, '{project}', '{name}');
    const summary = `stream ${STREAMS.CMD.name}; project and name are "_" where there is none or several`;
    return { name: `command ${verb}`, address, by: 'api', summary, message: 'Command' };
  });
}

function events(): Channel[] {
  return eventTypeSchema.options.map((type) => ({
    name: `event ${type}`,
    address: eventSubject(type, '{name}', '{project}'),
    by: EVENT_TYPES[type].by,
    summary: `stream ${STREAMS.EVT.name}; data: ${EVENT_TYPES[type].data}`,
    message: 'Event',
  }));
}

function buckets(): Channel[] {
  const names = keysOf(BUCKET_NOUNS);
  return names.map((bucket) => ({
    name: `bucket ${BUCKETS[bucket].name}`,
    address: bucketSubject(BUCKETS[bucket].name, '{key}'),
    by: BUCKETS[bucket].owner,
    summary: `newest value of each key${bucket === 'placements' ? `; key "${EPOCH_KEY}" says who may write` : ''}`,
    message: BUCKET_NOUNS[bucket],
  }));
}

/** What crosses between hub and sites; the server puts the account in, so that no site can speak for another. */
function sites(): Channel[] {
  return [
    {
      name: 'desired assignment',
      address: desiredSubject('{site}', '{project}', '{name}'),
      by: 'replicator',
      summary: `stream ${STREAMS.DL.name}: what is wanted at a site, newest of each subject`,
      message: 'Desired',
    },
    {
      name: 'desired retirement',
      address: retirementSubject('{site}'),
      by: 'replicator',
      summary: `stream ${STREAMS.DL.name}: the last word to a site`,
      message: 'Retirement',
    },
    {
      name: 'desired access',
      address: accessSubject('{site}'),
      by: 'replicator',
      summary: `stream ${STREAMS.DL.name}: who may act at a site without the hub, and by which rules`,
      message: 'Access',
    },
    {
      name: 'desired node rules',
      address: nodeRulesSubject('{site}'),
      by: 'replicator',
      summary: `stream ${STREAMS.DL.name}: which nodes of a site are cordoned, draining or removed`,
      message: 'NodeRules',
    },
    crossing('intake', HUB.intake, 'a report of a site, from its outbox', 'Observed', 'IntakeAnswer'),
    crossing('heartbeat', HUB.heartbeat, 'one a second and site, never stored', 'Heartbeat'),
    crossing('digest', HUB.digest, 'what a site holds, page by page', 'DigestRequest', 'DigestAnswer'),
    crossing(
      'proposal',
      HUB.proposal,
      'a local change of a site, to be made a command of',
      'ProposalRequest',
      'ProposalAnswer',
    ),
    {
      name: 'logs',
      address: HUB.request('{account}', 'logs'),
      by: 'api',
      summary: 'asks a site for lines; pages come back on the answer subject',
      message: 'LogRequest',
    },
    crossing('answer', HUB.answer('*', '{id}'), 'a page of a site', 'LogPage'),
  ];
}

/** A subject of a site's own, as the hub hears it. */
function crossing(
  name: string,
  pattern: string,
  summary: string,
  message: CatalogName,
  answer?: CatalogName,
): Channel {
  return {
    name,
    address: pattern.replace('*', '{account}').replace('>', '{rest}'),
    by: 'agent',
    summary,
    message,
    ...(answer ? { answer } : {}),
  };
}

/** What crosses of datasets. */
function datasets(): Channel[] {
  return [
    crossing('copies', HUB.copies, 'which copies a node has and shall have', 'CopiesRequest', 'CopyNews'),
    crossing('records', HUB.records, "a store's writes to a dataset", 'RecordsRequest', 'RecordsAnswer'),
    crossing('pull', HUB.pull, 'what a copy lacks', 'PullRequest', 'PullAnswer'),
    crossing('chunk ask', HUB.chunkAsk, 'which chunks the hub lacks', 'ChunkAsk', 'ChunkAskAnswer'),
    crossing('chunk put', HUB.chunkPut, 'a chunk, in a frame with this head', 'ChunkPut', 'ChunkAnswer'),
    crossing('chunk get', HUB.chunkGet, 'a chunk; comes in a frame', 'ChunkGet', 'ChunkAnswer'),
    {
      name: 'chunks wanted',
      address: HUB.chunksWanted('{account}'),
      by: 'replicator',
      summary: 'chunks that somebody asked for and the hub has not got',
      message: 'ChunksWanted',
    },
    {
      name: 'object',
      address: HUB.request('{account}', 'object'),
      by: 'api',
      summary: "asks a site for its copy's objects, or to make one; comes back on the answer subject",
      message: 'SiteObjectRequest',
    },
    {
      name: 'record delivery',
      address: HUB.recordDelivery('{account}'),
      by: 'replicator',
      summary: 'what is new in a dataset, to a site that may have it',
      message: 'Delivery',
    },
    {
      name: 'copy news',
      address: HUB.copyNews('{account}'),
      by: 'replicator',
      summary: 'copies that a site shall have from now on, or no more',
      message: 'CopyNews',
    },
    crossing('logs', HUB.logs, 'which logs a node has and shall have', 'LogsRequest', 'LogNews'),
    crossing('entries', HUB.entries, "a store's entries of a log", 'EntriesRequest', 'EntriesAnswer'),
    crossing('entry pull', HUB.entryPull, 'what a log lacks', 'EntryPull', 'EntryPage'),
    {
      name: 'entry delivery',
      address: HUB.entryDelivery('{account}'),
      by: 'replicator',
      summary: 'what is new in a log, to a site that may have it',
      message: 'EntryDelivery',
    },
    {
      name: 'log news',
      address: HUB.logNews('{account}'),
      by: 'replicator',
      summary: 'logs that a site shall have from now on, or no more',
      message: 'LogNews',
    },
    {
      name: 'log',
      address: HUB.request('{account}', 'log'),
      by: 'api',
      summary: 'asks a site for what its log holds, or to append; comes back on the answer subject',
      message: 'SiteLogRequest',
    },
    {
      name: 'dataset',
      address: HUB.request('{account}', 'dataset'),
      by: 'api',
      summary: 'asks a site for what its copy holds, or to write; comes back on the answer subject',
      message: 'SiteDatasetRequest',
    },
  ];
}

function requests(): Channel[] {
  const ask = (name: string, address: string, by: string, message: CatalogName, answer: CatalogName) => ({
    name: `request ${name}`,
    address,
    by,
    summary: 'answered by any instance; a refusal travels as an error answer',
    message,
    answer,
  });
  return [
    ask('plan', RPC.plan, 'api', 'PlanRequest', 'Plan'),
    ask('why', RPC.why, 'api', 'WhyRequest', 'Why'),
    ask('what if', RPC.whatIf, 'api', 'WhatIfBody', 'Plan'),
    ask('move', RPC.move, 'api', 'MoveRequest', 'Plan'),
    ask('behind', RPC.behind, 'api', 'BehindRequest', 'BehindAnswer'),
    ask('status', RPC.status, 'api', 'WorkloadRef', 'Status'),
    ask('status list', RPC.statusList, 'api', 'StatusListRequest', 'StatusListAnswer'),
    ask('admit', RPC.admit, 'api', 'AdmitRequest', 'AdmitAnswer'),
    ask('quotas', RPC.quotas, 'api', 'QuotaListRequest', 'QuotaListAnswer'),
    ask('cut off', RPC.cutOff, 'inventory', 'CutOffRequest', 'CutOffAnswer'),
    ask('join ticket', RPC.joinTicket, 'api', 'JoinTicketRequest', 'JoinTicketAnswer'),
    ask('join', RPC.join, 'api', 'JoinRequest', 'JoinAnswer'),
    ask('renew', RPC.renew, 'api', 'RenewRequest', 'JoinAnswer'),
    ask('retired', RPC.retired, 'inventory', 'RetiredRequest', 'RetiredAnswer'),
    ask('hub health', RPC.hub, 'api', 'HubHealthRequest', 'HubHealth'),
    ask('centre log', RPC.centreLog, 'api', 'CentreLogRequest', 'LogAnswer'),
    ask('proposal', RPC.proposal, 'inventory', 'ProposalRequest', 'ProposalAnswer'),
    ask('redeliver', RPC.redeliver('{app}'), 'api', 'RedeliverRequest', 'RedeliverAnswer'),
  ];
}

function others(): Channel[] {
  return [
    {
      name: 'observed workload',
      address: observedSubject('{site}', '{project}', '{name}'),
      by: 'inventory',
      summary: `stream ${STREAMS.OBSERVED.name}: newest report of each workload at each site`,
      message: 'Observed',
    },
    {
      name: 'observed node',
      address: observedNodeSubject('{site}', '{node}'),
      by: 'inventory',
      summary: `stream ${STREAMS.OBSERVED.name}: newest report of each node`,
      message: 'Node',
    },
    {
      name: 'record',
      address: recordSubject({ project: '{project}', name: '{dataset}' }, '{site}.{store}', '{key}'),
      by: 'replicator',
      summary: `stream ${STREAMS.REP.name}: the newest word of each store on each key of a dataset`,
      message: 'StoredRecord',
    },
    {
      name: 'entries of a log',
      address: entriesSubject({ project: '{project}', name: '{dataset}' }, '{site}.{store}'),
      by: 'replicator',
      summary: `stream ${STREAMS.LOGS.name}: batches of entries of a log, in the order of each store`,
      message: 'StoredEntries',
    },
    {
      name: 'site log',
      address: siteLogSubject('{site}', 'journal'),
      by: 'inventory',
      summary: `stream ${STREAMS.SITELOG.name}: audit and state entries of sites' journals`,
      message: 'JournalBatch',
    },
    {
      name: 'site events',
      address: siteLogSubject('{site}', 'event'),
      by: 'inventory',
      summary: `stream ${STREAMS.SITELOG.name}: the other entries of sites' journals`,
      message: 'JournalBatch',
    },
    {
      name: 'live status',
      address: liveStatusSubject('{project}', '{name}'),
      by: 'telemetry',
      summary: 'the read model as it changes, never stored',
      message: 'Status',
    },
    {
      name: 'live heartbeat',
      address: liveHeartbeatSubject('{account}'),
      by: 'inventory',
      summary: "sites' heartbeats as they come, never stored",
      message: 'Heartbeat',
    },
    {
      name: 'dead letter',
      address: deadLetterSubject('{app}', '{stream}'),
      by: '{app}',
      summary: `stream ${STREAMS.DEAD.name}: a message that could not be handled, as it was, with its reason in headers`,
      message: 'DeadLetter',
    },
  ];
}
