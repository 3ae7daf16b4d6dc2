import { Inject, Injectable } from '@nestjs/common';
import { done, reject, type Bus, type Outcome, type StoredMessage } from '@skerry/bus';
import {
  EPOCH_KEY,
  eventSubject,
  formatVersion,
  HEADERS,
  makeEvent,
  parseStored,
  placementSchema,
  STREAMS,
  type EventType,
} from '@skerry/contracts';
import { BUS, carriedOn } from '@skerry/service';

/** Says that a workload was placed, moved or could not be: derived from the stream of `placements`, each once. */
@Injectable()
export class AnnouncePlacements {
  constructor(@Inject(BUS) private readonly bus: Bus) {}

  async handle(message: StoredMessage): Promise<Outcome> {
    if (message.data.length === 0 || message.subject.endsWith(`.${EPOCH_KEY}`)) return done;
    const parsed = parseStored(placementSchema, message.json(), message.headers);
    if (!parsed.ok) return reject('not a placement');
    const placement = parsed.value;
    const type = eventOf(message.headers[HEADERS.change]);
    if (type === undefined) return done;
    const event = makeEvent({
      type,
      project: placement.project,
      name: placement.name,
      version: formatVersion(placement.version),
      at: placement.decidedAt,
      traceparent: message.headers[HEADERS.traceparent],
      data: placement,
    });
    const subject = eventSubject(type, placement.name, placement.project);
    await this.bus.publish(subject, event, {
      messageId: event.id,
      headers: carriedOn(message.headers),
      group: STREAMS.EVT.name,
    });
    return done;
  }
}

/** Stopped and removed are telemetry's to tell, when nothing runs any more. */
function eventOf(change: string | undefined): EventType | undefined {
  switch (change) {
    case 'placed':
    case 'moved':
    case 'unplaceable':
      return `workload.${change}`;
    default:
      return undefined;
  }
}
