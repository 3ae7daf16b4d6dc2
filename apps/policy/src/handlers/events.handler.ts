import { Inject, Injectable } from '@nestjs/common';
import { done, Malformed, reject, type Bus, type Outcome, type StoredMessage } from '@skerry/bus';
import {
  datasetSchema,
  eventSubject,
  HEADERS,
  makeEvent,
  outcomeSchema,
  parseStored,
  quotaSchema,
  siteSchema,
  STREAMS,
  workloadSchema,
  type EventDraft,
  type EventType,
} from '@skerry/contracts';
import { BUS, carriedOn } from '@skerry/service';
import type { z } from 'zod';

/** Derives `skerry.evt.>` from policy's buckets: every write is told once, its id made of type, noun and version. */
@Injectable()
export class EventsHandler {
  constructor(@Inject(BUS) private readonly bus: Bus) {}

  /** A write to `workloads`. */
  async workload(message: StoredMessage): Promise<Outcome> {
    return this.tell(message, workloadSchema, (workload) => ({
      type: workload.removed ? 'workload.removed' : 'workload.admitted',
      project: workload.project,
      name: workload.name,
      version: String(workload.generation),
      at: workload.updatedAt,
      data: workload,
    }));
  }

  /** A write to `datasets`. */
  async dataset(message: StoredMessage): Promise<Outcome> {
    return this.tell(message, datasetSchema, (dataset) => ({
      type: dataset.removed ? 'dataset.removed' : 'dataset.admitted',
      project: dataset.project,
      name: dataset.name,
      version: String(dataset.generation),
      at: dataset.updatedAt,
      data: dataset,
    }));
  }

  /** A write to `site-specs`. */
  async site(message: StoredMessage): Promise<Outcome> {
    return this.tell(message, siteSchema, (site) => ({
      type: siteEvent(message.headers[HEADERS.change]),
      name: site.name,
      version: String(site.generation),
      at: site.updatedAt,
      data: site,
    }));
  }

  /** A write to `policies`. */
  async quota(message: StoredMessage): Promise<Outcome> {
    return this.tell(message, quotaSchema, (quota) => ({
      type: 'quota.changed',
      name: quota.project,
      version: String(quota.generation ?? 1),
      // One of the bootstrap file does not say since when it is so.
      at: quota.updatedAt ?? new Date(message.storedAt).toISOString(),
      data: quota,
    }));
  }

  /** A write to `outcomes`: only refusals are told, what was admitted is told by its noun. */
  async outcome(message: StoredMessage): Promise<Outcome> {
    return this.tell(message, outcomeSchema, (outcome) =>
      outcome.ok
        ? undefined
        : {
            type: 'command.rejected',
            name: outcome.requestId,
            version: '1',
            at: outcome.decidedAt,
            data: outcome,
          },
    );
  }

  private async tell<T>(
    message: StoredMessage,
    schema: z.ZodType<T>,
    draftOf: (value: T) => EventDraft | undefined,
  ): Promise<Outcome> {
    // A key that was deleted or has run out tells nothing.
    if (message.data.length === 0) return done;
    const parsed = parseStored(schema, message.json(), message.headers);
    if (!parsed.ok) return reject(new Malformed(`${message.subject}: ${parsed.issues[0]?.path}`).message);
    const draft = draftOf(parsed.value);
    if (!draft) return done;
    const event = makeEvent({ ...draft, traceparent: message.headers[HEADERS.traceparent] });
    const subject = eventSubject(draft.type, draft.name, draft.project);
    await this.bus.publish(subject, event, {
      messageId: event.id,
      headers: carriedOn(message.headers),
      group: STREAMS.EVT.name,
    });
    return done;
  }
}

function siteEvent(change: string | undefined): EventType {
  switch (change) {
    case 'added':
    case 'joined':
    case 'removed':
    case 'suspended':
      return `site.${change}`;
    default:
      return 'site.changed';
  }
}
