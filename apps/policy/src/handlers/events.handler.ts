import { Inject, Injectable } from '@nestjs/common';
import { done, Malformed, reject, type Outcome, type StoredMessage } from '@skerry/bus';
import {
  datasetSchema,
  outcomeSchema,
  parseStored,
  quotaSchema,
  siteSchema,
  workloadSchema,
  type CommandOutcome,
} from '@skerry/contracts';
import type { z } from 'zod';
import { Events, ofDataset, ofQuota, ofSite, ofWorkload, type Stored, type Telling } from '../events.js';

/**
 * Derives `skerry.evt.>` from policy's buckets: every write is told once, its id made of type, noun and version. Who writes over
 * what may not have been told yet tells it before: see `Predecessors`.
 */
@Injectable()
export class EventsHandler {
  constructor(@Inject(Events) private readonly events: Events) {}

  /** A write to `workloads`. */
  async workload(message: StoredMessage): Promise<Outcome> {
    return this.tell(message, workloadSchema, ofWorkload);
  }

  /** A write to `datasets`. */
  async dataset(message: StoredMessage): Promise<Outcome> {
    return this.tell(message, datasetSchema, ofDataset);
  }

  /** A write to `site-specs`. */
  async site(message: StoredMessage): Promise<Outcome> {
    return this.tell(message, siteSchema, ofSite);
  }

  /** A write to `policies`. */
  async quota(message: StoredMessage): Promise<Outcome> {
    return this.tell(message, quotaSchema, ofQuota);
  }

  /** A write to `outcomes`: only refusals are told, what was admitted is told by its noun. */
  async outcome(message: StoredMessage): Promise<Outcome> {
    return this.tell(message, outcomeSchema, ofRefusal);
  }

  private async tell<T>(
    message: StoredMessage,
    schema: z.ZodType<T>,
    tellingOf: (stored: Stored<T>) => Telling | undefined,
  ): Promise<Outcome> {
    const { data, headers, storedAt: at } = message;
    // A key that was deleted or has run out tells nothing.
    if (data.length === 0) return done;
    const parsed = parseStored(schema, message.json(), headers);
    if (!parsed.ok) return reject(new Malformed(`${message.subject}: ${parsed.issues[0]?.path}`).message);
    const telling = tellingOf({ value: parsed.value, headers, at });
    if (telling) await this.events.tell(telling, true);
    return done;
  }
}

function ofRefusal({ value: outcome, headers }: Stored<CommandOutcome>): Telling | undefined {
  if (outcome.ok) return undefined;
  const { requestId: name, decidedAt: at } = outcome;
  return { draft: { type: 'command.rejected', name, version: '1', at, data: outcome }, headers };
}
