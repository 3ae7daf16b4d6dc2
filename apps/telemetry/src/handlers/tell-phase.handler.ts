import { Inject, Injectable } from '@nestjs/common';
import { done, reject, type Bus, type Outcome, type StoredMessage } from '@skerry/bus';
import { announcedSchema, eventSubject, HEADERS, makeEvent, parseStored, STREAMS } from '@skerry/contracts';
import { announcedAs } from '@skerry/domain';
import { BUS } from '@skerry/service';

/** Says each announced phase once as an event: derived from the stream of bucket `status`. */
@Injectable()
export class TellPhase {
  constructor(@Inject(BUS) private readonly bus: Bus) {}

  async handle(message: StoredMessage): Promise<Outcome> {
    if (message.data.length === 0) return done;
    const parsed = parseStored(announcedSchema, message.json(), message.headers);
    if (!parsed.ok) return reject('not an announced phase');
    const { project, name, phase, generation, running, wanted, at } = parsed.value;
    const type = announcedAs(phase);
    if (type === undefined) return done;
    const event = makeEvent({
      type,
      project,
      name,
      version: `${generation}.${message.sequence}`,
      at,
      traceparent: message.headers[HEADERS.traceparent],
      data: { phase, generation, running, wanted },
    });
    await this.bus.publish(eventSubject(type, name, project), event, {
      messageId: event.id,
      group: STREAMS.EVT.name,
    });
    return done;
  }
}
