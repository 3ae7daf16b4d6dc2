import { Inject, Injectable } from '@nestjs/common';
import type { Bus, StoredMessage } from '@skerry/bus';
import {
  EVENT_TYPES,
  eventFilter,
  eventSchema,
  eventTypeSchema,
  Refusal,
  type SkerryEvent,
  STREAMS,
} from '@skerry/contracts';
import { BUS } from '@skerry/service';
import type { EventStream } from '../http/streams.js';

/** How far back events are looked for. */
const SCANNED_EVENTS = 5_000;

export interface EventsRequest {
  filter: string | undefined;
  follow: boolean;
  /** Newest events to begin with. */
  tail: number;
  /** Sequence of the last event that the reader has, after a reconnect. */
  after: number | undefined;
}

interface Selection {
  subjects: string[];
  matches: (event: SkerryEvent) => boolean;
}

/** Streams the newest events of `EVT`, oldest first, and with `follow` those to come. */
@Injectable()
export class ReadEvents {
  constructor(@Inject(BUS) private readonly bus: Bus) {}

  async stream(stream: EventStream, request: EventsRequest, selection: Selection): Promise<void> {
    const state = await this.bus.streamState(STREAMS.EVT.name);
    if (!state) throw new Refusal('unavailable', 'there is no stream of events yet');
    const newest: { event: SkerryEvent; sequence: number }[] = [];
    let kept = request.after === undefined ? request.tail : Number.MAX_SAFE_INTEGER;
    let live = false;
    const take = async (message: StoredMessage): Promise<void> => {
      const parsed = eventSchema.safeParse(message.json());
      if (!parsed.success || !selection.matches(parsed.data)) return;
      if (live) return stream.send('event', parsed.data, message.sequence);
      newest.push({ event: parsed.data, sequence: message.sequence });
      if (newest.length > kept) newest.shift();
    };
    const from = Math.max(
      state.firstSequence,
      state.lastSequence - SCANNED_EVENTS + 1,
      (request.after ?? 0) + 1,
    );
    const following = await this.bus.follow(STREAMS.EVT.name, take, { from, filters: selection.subjects });
    try {
      await Promise.race([following.caughtUp, aborted(stream)]);
      stream.begin();
      // What comes while these are sent goes behind them.
      kept = Number.MAX_SAFE_INTEGER;
      for (const { event, sequence } of newest) await stream.send('event', event, sequence);
      live = true;
      if (request.follow) await aborted(stream);
    } finally {
      await following.drain();
    }
  }
}

/**
 * What a filter selects: a type (`workload.placed`), a noun (`site`), what it is about (`shop/web`), or a bare name.
 * Throws `Refusal` `invalid` for a type that does not exist.
 */
export function selectEvents(filter: string | undefined): Selection {
  const all = () => true;
  if (filter === undefined || filter === '' || filter === '*')
    return { subjects: [eventFilter()], matches: all };
  const noun = filter.replace(/\.\*$/, '');
  if (NOUNS.has(noun)) return { subjects: [eventFilter(noun)], matches: all };
  if (eventTypeSchema.safeParse(filter).success) return { subjects: [eventFilter(filter)], matches: all };
  if (/^[-a-z0-9]+(?:\/[-a-z0-9]+)?$/.test(filter)) {
    const ending = `/${filter}`;
    return {
      subjects: [eventFilter()],
      matches: ({ subject }) => subject === filter || (!filter.includes('/') && subject.endsWith(ending)),
    };
  }
  throw new Refusal('invalid', 'there are no such events', {
    issues: [
      {
        path: 'filter',
        problem: 'not allowed',
        value: filter.slice(0, 120),
        allowed: `a noun (${[...NOUNS].join(', ')}), a type (${Object.keys(EVENT_TYPES).join(', ')}), a site, or <project>/<name>`,
      },
    ],
  });
}

const NOUNS = new Set(Object.keys(EVENT_TYPES).map((type) => type.split('.')[0] ?? type));

function aborted({ signal }: EventStream): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
