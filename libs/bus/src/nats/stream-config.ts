import { bucketStream, bucketSubject, type BucketDefinition, type StreamDefinition } from '@skerry/contracts';
import type { StreamConfig } from './js-api.js';

const SECOND = 1_000_000_000;
const MESSAGE_TTL = { allow_msg_ttl: true, subject_delete_marker_ttl: SECOND };
const BUCKET_DUPLICATES_S = 120;

/** A stream as nats-server wants it. */
export function streamConfig(definition: StreamDefinition, replicas: number): StreamConfig {
  return {
    name: definition.name,
    subjects: definition.subjects,
    retention: definition.retention ?? 'limits',
    ...storageOf(definition),
    num_replicas: replicas,
    discard: definition.discard,
    max_bytes: definition.maxBytes,
    max_age: (definition.maxAgeS ?? 0) * SECOND,
    max_msgs_per_subject: definition.maxMessagesPerSubject ?? -1,
    duplicate_window: definition.duplicateWindowS * SECOND,
    allow_direct: true,
    ...(definition.atomic === true ? { allow_atomic: true } : {}),
    ...(definition.maxConsumers === undefined ? {} : { max_consumers: definition.maxConsumers }),
    ...(definition.maxMessageBytes === undefined ? {} : { max_msg_size: definition.maxMessageBytes }),
  };
}

/** What nobody reads lies in memory, and its last message alone. */
function storageOf({ saysAgain }: StreamDefinition): object {
  if (saysAgain === undefined) return { storage: 'file' };
  const republish = { src: saysAgain.from, dest: saysAgain.to };
  return { storage: 'memory', max_msgs: 1, no_ack: true, republish };
}

/** The stream under a bucket, as NATS's own key-value stores have it. */
export function bucketConfig(definition: BucketDefinition, replicas: number): StreamConfig {
  const { maxAgeS = 0 } = definition;
  return {
    name: bucketStream(definition.name),
    subjects: [bucketSubject(definition.name, '>')],
    retention: 'limits',
    storage: 'file',
    num_replicas: replicas,
    discard: definition.discard ?? 'new',
    max_bytes: definition.maxBytes,
    max_age: maxAgeS * SECOND,
    max_msgs_per_subject: definition.history ?? 1,
    // No longer than what it keeps, or the server refuses it.
    duplicate_window: (maxAgeS === 0 ? BUCKET_DUPLICATES_S : Math.min(BUCKET_DUPLICATES_S, maxAgeS)) * SECOND,
    allow_direct: true,
    allow_rollup_hdrs: true,
    deny_delete: true,
    ...(definition.perKeyTtl === true ? MESSAGE_TTL : {}),
    ...(definition.atomic === true ? { allow_atomic: true } : {}),
  };
}

/** Limits that may grow and never shrink by an update: below 1 is "no limit". */
const LIMITS = ['max_bytes', 'max_age', 'max_msgs_per_subject'] as const;

/** What an existing stream becomes: as wanted, without giving up anything that it stores. */
export function updated(there: StreamConfig, wanted: StreamConfig): StreamConfig {
  const config: StreamConfig = { ...there, ...wanted };
  for (const limit of LIMITS) {
    config[limit] = larger(there[limit] ?? 0, wanted[limit] ?? 0);
  }
  return config;
}

function larger(a: number, b: number): number {
  return a < 1 || b < 1 ? Math.min(a, b) : Math.max(a, b);
}

/** Whether an update would change anything. */
export function differs(there: StreamConfig, config: StreamConfig): boolean {
  return Object.entries(config).some(([key, value]) => JSON.stringify(there[key]) !== JSON.stringify(value));
}
