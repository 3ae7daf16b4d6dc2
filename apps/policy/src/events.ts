import { Inject, Injectable } from '@nestjs/common';
import type { Bus, Entry, Headers } from '@skerry/bus';
import {
  eventSubject,
  HEADERS,
  makeEvent,
  STREAMS,
  type Dataset,
  type EventDraft,
  type EventType,
  type Quota,
  type Site,
  type Workload,
} from '@skerry/contracts';
import { BUS, carriedOn } from '@skerry/service';

/** Header by which the server knows what was told already. */
const MESSAGE_ID = 'Nats-Msg-Id';

/** A noun of policy's as it lies in its bucket: its value, the headers it was written with, and when (ms). */
export type Stored<T> = Pick<Entry<T>, 'value' | 'headers' | 'at'>;

/** An event, and the headers of the write that it tells of. */
export interface Telling {
  draft: EventDraft;
  headers: Headers;
}

/** Tells events. One that was told within an hour (`EVT`'s window for duplicates) is not told again. */
@Injectable()
export class Events {
  constructor(@Inject(BUS) private readonly bus: Bus) {}

  /** `together`: much is told at the same time, and hardly any of it was told before. */
  async tell({ draft, headers }: Telling, together = false): Promise<void> {
    const event = makeEvent({ ...draft, traceparent: headers[HEADERS.traceparent] });
    const subject = eventSubject(draft.type, draft.name, draft.project);
    await this.bus.publish(subject, event, {
      messageId: event.id,
      headers: carriedOn(headers),
      ...(together ? { group: STREAMS.EVT.name } : {}),
    });
  }

  /** Tells one unless it is the newest of its subject: who hears the subject itself would hear it twice. */
  async tellOnce(telling: Telling): Promise<void> {
    const { type, name, project } = telling.draft;
    const newest = await this.bus.newest(STREAMS.EVT.name, eventSubject(type, name, project));
    if (newest?.headers[MESSAGE_ID] !== makeEvent(telling.draft).id) await this.tell(telling);
  }
}

export function ofWorkload({ value: workload, headers }: Stored<Workload>): Telling {
  const { project, name, generation, updatedAt: at } = workload;
  const type = workload.removed ? 'workload.removed' : 'workload.admitted';
  return { draft: { type, project, name, version: String(generation), at, data: workload }, headers };
}

export function ofDataset({ value: dataset, headers }: Stored<Dataset>): Telling {
  const { project, name, generation, updatedAt: at } = dataset;
  const type = dataset.removed ? 'dataset.removed' : 'dataset.admitted';
  return { draft: { type, project, name, version: String(generation), at, data: dataset }, headers };
}

export function ofSite({ value: site, headers }: Stored<Site>): Telling {
  const { name, generation, updatedAt: at } = site;
  const type = siteEvent(headers[HEADERS.change]);
  return { draft: { type, name, version: String(generation), at, data: site }, headers };
}

export function ofQuota({ value: quota, headers, at: storedAt }: Stored<Quota>): Telling {
  const { project: name, generation = 1 } = quota;
  // One of the bootstrap file does not say since when it is so.
  const at = quota.updatedAt ?? new Date(storedAt).toISOString();
  return { draft: { type: 'quota.changed', name, version: String(generation), at, data: quota }, headers };
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
