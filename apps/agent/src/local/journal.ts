import { StorageFull, type Bus, type StreamState } from '@skerry/bus';
import {
  LIMITS,
  Refusal,
  SITE,
  SITE_JOURNALS,
  journalEntrySchema,
  parseAcross,
  type JournalClass,
  type JournalEntry,
  type JournalUse,
} from '@skerry/contracts';
import { reason, type Log } from '../log.js';
import { messageId } from '../reports/message-id.js';

/** State entries that wait in memory for the site's server; beyond that the oldest are forgotten, and `trouble` says so. */
const MAX_WAITING = 1_000;
const RETRY_MS = 1_000;
/** Entries that a report of the site itself is made of, newest of each stream. */
const MAX_READ = 20_000;

export interface JournalOptions {
  site: string;
  node: string;
  /** Bytes of the journal and of its events. */
  budget: { journalBytes: number; eventBytes: number };
  log: Log;
}

/** An entry without what is the same for all of one node. */
export type Entry = Omit<JournalEntry, 'kind' | 'id' | 'site' | 'node' | 'at' | 'class'> & { at?: string };

/**
 * What happened at the site, in two bounded streams of its own server: audit and state entries, of which a full stream
 * refuses the newest, and events, of which the oldest go. Nothing is written that was not asked for: while the hub is there,
 * that is next to nothing.
 */
export class Journal {
  private bus: Bus | undefined;
  private readonly waiting: { entry: JournalEntry; kind: JournalClass }[] = [];
  private timer: NodeJS.Timeout | undefined;
  private sending = false;
  private full = false;
  /** Events that no stream took. */
  private lost = 0;
  /** State entries that waited too long. */
  private forgotten = 0;

  constructor(private readonly options: JournalOptions) {}

  /** Writes to this server from now on; what waited goes first. */
  async use(bus: Bus): Promise<void> {
    const { journalBytes, eventBytes } = this.options.budget;
    await bus.ensureStream({ ...SITE_JOURNALS.JOURNAL, maxBytes: journalBytes });
    await bus.ensureStream({ ...SITE_JOURNALS.EVENTS, maxBytes: eventBytes });
    this.bus = bus;
    void this.flush();
  }

  close(): void {
    this.bus = undefined;
    clearTimeout(this.timer);
  }

  /** What a person has to mend; undefined when all is well. */
  get trouble(): string | undefined {
    if (this.full)
      return `its journal is full (limit journalBytes): nothing can be changed here until the hub has it`;
    if (this.forgotten > 0)
      return `${this.forgotten} entries of its journal were forgotten: its server took none for too long`;
    return undefined;
  }

  /** Writes down what a person does before it is done. Throws a `Refusal` when that cannot be: then it must not be done. */
  async audit(entry: Entry): Promise<void> {
    const { bus } = this;
    if (bus === undefined) throw new Refusal('unavailable', 'the journal of this site cannot be written yet');
    try {
      await this.publish(bus, 'audit', this.made('audit', entry));
      this.full = false;
    } catch (error) {
      if (!(error instanceof StorageFull)) throw error;
      this.full = true;
      throw new Refusal(
        'storage-full',
        `the journal of ${this.options.site} is full, and nothing is done here that it does not hold`,
        {
          issues: [
            {
              path: 'journal',
              problem: 'full',
              allowed: `${this.options.budget.journalBytes} bytes (limit journalBytes of site.json)`,
            },
          ],
          hint: 'it is emptied when the hub has it: bring the site back, or give its journal more room',
        },
      );
    }
  }

  /** Writes down what changed here for good: kept until it is stored. */
  state(entry: Entry): void {
    this.waiting.push({ entry: this.made('state', entry), kind: 'state' });
    if (this.waiting.length > MAX_WAITING) {
      // The first is on its way while they are sent.
      this.waiting.splice(this.sending ? 1 : 0, 1);
      if (this.forgotten === 0) this.options.log.error('entries of the journal are forgotten: it takes none');
      this.forgotten += 1;
    }
    void this.flush();
  }

  /** Writes down what is good to know: lost when it cannot be written. */
  event(entry: Entry): void {
    const { bus } = this;
    if (bus === undefined) {
      this.lost += 1;
      return;
    }
    this.publish(bus, 'event', this.made('event', entry)).catch(() => (this.lost += 1));
  }

  /** Room that is taken. */
  async usage(): Promise<JournalUse> {
    const [journal, events] = await Promise.all([this.stateOf('JOURNAL'), this.stateOf('EVENTS')]);
    return {
      entries: journal?.messages ?? 0,
      bytes: journal?.bytes ?? 0,
      limitBytes: this.options.budget.journalBytes,
      events: events?.messages ?? 0,
      eventBytes: events?.bytes ?? 0,
      eventLimitBytes: this.options.budget.eventBytes,
      lost: this.lost + this.forgotten,
    };
  }

  /** All entries that there are, at most the newest 20,000 of each stream. */
  async read(): Promise<JournalEntry[]> {
    const { bus } = this;
    if (bus === undefined) return [];
    const streams = await Promise.all([this.readStream(bus, 'JOURNAL'), this.readStream(bus, 'EVENTS')]);
    return streams.flat();
  }

  private async readStream(bus: Bus, stream: 'JOURNAL' | 'EVENTS'): Promise<JournalEntry[]> {
    const state = await this.stateOf(stream);
    if (state === undefined || state.messages === 0) return [];
    const entries: JournalEntry[] = [];
    const from = Math.max(state.firstSequence, state.lastSequence - MAX_READ + 1);
    const following = await bus.follow(
      stream,
      (m) => {
        const parsed = parseAcross(journalEntrySchema, m.json());
        if (parsed.ok) entries.push(parsed.value);
      },
      { from },
    );
    await following.caughtUp;
    await following.drain();
    return entries;
  }

  private async stateOf(stream: 'JOURNAL' | 'EVENTS'): Promise<StreamState | undefined> {
    return await this.bus?.streamState(stream).catch(() => undefined);
  }

  private made(kind: JournalClass, { at, text, ...rest }: Entry): JournalEntry {
    return {
      kind: 'JournalEntry',
      id: messageId(),
      site: this.options.site,
      node: this.options.node,
      at: at ?? new Date().toISOString(),
      class: kind,
      ...rest,
      ...(text === undefined ? {} : { text: text.slice(0, LIMITS.journalTextChars) }),
    };
  }

  private async flush(): Promise<void> {
    if (this.sending) return;
    this.sending = true;
    clearTimeout(this.timer);
    try {
      for (let next = this.waiting[0]; next !== undefined && this.bus !== undefined; next = this.waiting[0]) {
        await this.publish(this.bus, next.kind, next.entry);
        this.waiting.shift();
        this.full = false;
      }
    } catch (error) {
      this.full = error instanceof StorageFull;
      this.options.log.debug('the journal takes nothing', { reason: reason(error) });
      this.timer = setTimeout(() => void this.flush(), RETRY_MS).unref();
    } finally {
      this.sending = false;
    }
  }

  private async publish(bus: Bus, kind: JournalClass, entry: JournalEntry): Promise<void> {
    await bus.publish(SITE.journal(kind), entry, { messageId: entry.id });
  }
}
