import {
  driverNameSchema,
  nameSchema,
  requestIdSchema,
  stopSchema,
  versionSchema,
  type Assignment,
  type Replica,
} from '@skerry/contracts';
import type { HeldReplica } from '@skerry/domain';
import { z } from 'zod';
import { liveSchema } from '../drivers/live.js';

const millis = z.number().min(0);

/** A replica as its agent keeps it, over its own restarts too. Times are milliseconds since 1970. */
export const replicaRecordSchema = z.strictObject({
  id: z.string().max(300),
  project: nameSchema,
  name: nameSchema,
  slot: z.number().int().min(0),
  driver: driverNameSchema,
  template: z.string(),
  version: versionSchema,
  /** Of what was changed at the site over that version: the proposal of the change. */
  change: requestIdSchema.optional(),
  /** How it is stopped, as it was started: a later version may say otherwise, or be gone. */
  stop: stopSchema,
  phase: z.enum(['starting', 'running', 'unhealthy', 'stopping', 'ended', 'backoff', 'completed', 'failed']),
  since: millis,
  startedAt: millis,
  /** How many times it was started again. */
  restarts: z.number().int().min(0),
  streak: z.number().int().min(0),
  ending: z
    .discriminatedUnion('cause', [
      z.strictObject({ cause: z.literal('exited'), code: z.number().int().optional() }),
      z.strictObject({ cause: z.enum(['stopped', 'set-aside']) }),
    ])
    .optional(),
  retryAt: millis.optional(),
  /** Of a cron: when the run that it is part of was due. */
  run: millis.optional(),
  exitCode: z.number().int().optional(),
  message: z.string().optional(),
  /** Port numbers by name: the slot keeps them over restarts. */
  ports: z.record(z.string(), z.number().int()),
  /** GPUs it was started with, by index among those of the node, and how many thousandths it has of each. */
  gpus: z
    .strictObject({ indices: z.array(z.number().int().min(0)), milli: z.number().int().min(1).max(1_000) })
    .optional(),
  /** Of a singleton: what it shows to ask the agent who owns it. A secret. */
  token: z.string().max(128).optional(),
  /** What any other shows to reach the datasets of its project. A secret. */
  asks: z.string().max(128).optional(),
  live: liveSchema.optional(),
});
export type ReplicaRecord = z.infer<typeof replicaRecordSchema>;

/** What a replica shows to its agent, while it may be running. */
export function tokenOf(record: ReplicaRecord): string | undefined {
  return isUp(record) ? (record.token ?? record.asks) : undefined;
}

/** The record as the pure decision takes it. */
export function heldOf(record: ReplicaRecord): HeldReplica {
  const { ending } = record;
  return {
    slot: record.slot,
    template: record.template,
    phase: record.phase,
    sinceMs: record.since,
    startedAtMs: record.startedAt,
    streak: record.streak,
    ...(record.retryAt === undefined ? {} : { retryAtMs: record.retryAt }),
    ...(record.run === undefined ? {} : { runMs: record.run }),
    ...(ending === undefined ? {} : { ending: endingOf(ending) }),
  };
}

function endingOf(ending: NonNullable<ReplicaRecord['ending']>): NonNullable<HeldReplica['ending']> {
  if (ending.cause !== 'exited') return { cause: ending.cause };
  return { cause: 'exited', ...(ending.code === undefined ? {} : { code: ending.code }) };
}

const MESSAGE_CHARS = 300;

/** The record as it is reported. A replica of an unchanged template counts for the newest version of its assignment. */
export function replicaOf(record: ReplicaRecord, place: { node: string; address: string }): Replica {
  const { live, exitCode, message } = record;
  const addresses = Object.entries(record.ports).map(([name, port]) => [name, `${place.address}:${port}`]);
  return {
    id: record.id,
    slot: record.slot,
    node: place.node,
    // An ending is decided on at once; until then it is on its way to being started again.
    phase: record.phase === 'ended' ? 'backoff' : record.phase,
    version: record.version,
    ...(record.change === undefined ? {} : { change: record.change }),
    ...(live === undefined || !isUp(record) ? {} : { pid: live.main.pid }),
    addresses: Object.fromEntries(addresses),
    restarts: record.restarts,
    since: new Date(record.since).toISOString(),
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(message === undefined ? {} : { message: message.slice(0, MESSAGE_CHARS) }),
  };
}

/** Whether something of it may run now. */
export function isUp(record: ReplicaRecord): boolean {
  switch (record.phase) {
    case 'starting':
    case 'running':
    case 'unhealthy':
    case 'stopping':
      return true;
    case 'ended':
    case 'backoff':
    case 'completed':
    case 'failed':
      return false;
  }
}

/** Text that is equal when the same would run: what a change of which replaces a replica. How it is restarted and stopped is not. */
export function templateText({ run, resources }: Assignment): string {
  const { restart: _restart, stop: _stop, ...started } = run;
  return JSON.stringify([started, resources]);
}
