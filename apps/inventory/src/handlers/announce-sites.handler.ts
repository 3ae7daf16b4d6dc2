import { Inject, Injectable } from '@nestjs/common';
import { done, reject, type Bus, type Outcome, type StoredMessage } from '@skerry/bus';
import { eventSubject, makeEvent, siteStateSchema, type EventType, type SitePhase } from '@skerry/contracts';
import { BUS } from '@skerry/service';

/** A state written longer after its phase began tells of something else than the phase. */
const PHASE_NEWS_MS = 60_000;

/** Says that a site became ready, suspect or lost, once each: derived from the stream of `site-states`. */
@Injectable()
export class AnnounceSites {
  constructor(@Inject(BUS) private readonly bus: Bus) {}

  async handle(message: StoredMessage): Promise<Outcome> {
    if (message.data.length === 0) return done;
    const parsed = siteStateSchema.safeParse(message.json());
    if (!parsed.success) return reject('not a site state');
    const state = parsed.data;
    const type = eventOf(state.phase);
    if (type === undefined || message.storedAt - Date.parse(state.since) > PHASE_NEWS_MS) return done;
    const event = makeEvent({
      type,
      name: state.site,
      version: String(state.revision),
      at: state.since,
      data: state,
    });
    await this.bus.publish(eventSubject(type, state.site), event, { messageId: event.id });
    return done;
  }
}

function eventOf(phase: SitePhase): EventType | undefined {
  switch (phase) {
    case 'ready':
      return 'site.ready';
    case 'suspect':
      return 'site.suspect';
    case 'lost':
      return 'site.lost';
    case 'pending':
    case 'left':
      return undefined;
  }
}
