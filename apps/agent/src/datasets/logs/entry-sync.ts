import type { Bus } from '@skerry/bus';
import {
  entriesAnswerSchema,
  entryPageSchema,
  SITE,
  type EntriesAnswer,
  type EntryDelivery,
  type LogItem,
  type OwnEntry,
  type SealingNews,
} from '@skerry/contracts';
import { spanOf } from '@skerry/domain';
import { reason, type Log } from '../../log.js';
import { askHub } from '../ask-hub.js';
import type { CopySealing } from '../../sealing/copy-sealing.js';
import { EntrySealing } from '../../sealing/entry-sealing.js';
import { Errands, pauseForGood, pauseForNow, type Step } from '../errands.js';
import { Repeated } from '../repeated.js';
import type { EntryLog } from './entry-log.js';

const ANSWER_MS = 3_000;
const OFFER = { subject: SITE.entries, schema: entriesAnswerSchema, timeoutMs: ANSWER_MS };
const PULL = { subject: SITE.entryPull, schema: entryPageSchema, timeoutMs: ANSWER_MS };

export interface EntrySyncOptions {
  /** Whether the hub has not been heard for a while: then nothing is tried. */
  silent: () => boolean;
  /** Where both are has to be said again. */
  greet: () => void;
  /** It has everything that the hub said there is. */
  whole?: () => unknown;
  /** Of an encrypted log: what leaves is sealed, and what comes is opened. */
  sealing?: CopySealing | undefined;
  log: Log;
}

/** Where the hub is with a log, and of an encrypted one what it says of its keys. */
interface HubPlace {
  head: number;
  stored: number | undefined;
  again?: boolean | undefined;
  streamEpoch?: number | undefined;
  sealing?: SealingNews | undefined;
}

/**
 * One log's way up and down: one batch on its way at a time in each direction, neither waiting for the other. A backlog goes in
 * batches in its order, so what is written last comes last; other logs and other sites have their turn between any two.
 */
export class EntrySync {
  private readonly errands: Errands;
  private readonly box: EntrySealing | undefined;
  private readonly sending = new Repeated(async () => await this.sendAll());
  private readonly pulling = new Repeated(async () => await this.pullAll());
  private head = 0;
  /** The hub has said where it is. */
  private told = false;
  /** Deliveries one after the other: room is made for one at a time. */
  private hearing: Promise<void> = Promise.resolve();

  constructor(
    private readonly bus: Bus,
    private readonly entries: EntryLog,
    private readonly options: EntrySyncOptions,
  ) {
    this.errands = new Errands(options.silent);
    const { sealing, log } = options;
    this.box = sealing && new EntrySealing(sealing, log);
  }

  get incarnation(): number {
    return this.entries.rule.incarnation;
  }

  /** By how many sequences of the hub's stream, of which to one that is collected none come; undefined: the hub has not said where it is. */
  get behind(): number | undefined {
    const head = this.entries.rule.flow === 'collect' ? 0 : this.head;
    return this.told ? Math.max(0, head - this.entries.position) : undefined;
  }

  stop(): void {
    this.errands.stop();
  }

  /** Where the hub is with this log. */
  async heardWhere({ head, stored, again, streamEpoch, sealing }: HubPlace): Promise<void> {
    await this.heardKeys(sealing);
    if (stored !== undefined && !this.sending.runs) await this.entries.hubHas(stored);
    // A stream that ends before what was read of it is another one.
    if (again === true || head < this.entries.position) await this.entries.readAgain();
    if (streamEpoch !== undefined) await this.entries.readsEpoch(streamEpoch);
    this.head = head;
    this.told = true;
    this.noteWhole();
    this.send();
    this.pull();
  }

  /** Something came down. */
  hear({ items, after, upTo, streamEpoch }: EntryDelivery): void {
    if (this.isOther(streamEpoch)) return this.options.greet();
    this.head = Math.max(this.head, upTo);
    this.hearing = this.hearing
      .then(async () => await this.taken(items, { after, upTo }))
      .catch((error: unknown) => this.options.log.warn('entries were not taken', { reason: reason(error) }));
  }

  /** Sends what the hub has not got, until it has all. */
  send(): void {
    this.sending.ask();
  }

  private async taken(items: readonly LogItem[], at: { after: number; upTo: number }): Promise<void> {
    const opened = this.opened(items);
    // What waits for a key is read when that has come.
    if (opened !== undefined && (await this.entries.take(opened, at)) !== 'taken') this.pull();
    this.noteWhole();
  }

  private noteWhole(): void {
    if (this.behind === 0) this.options.whole?.();
  }

  /** What fails here is heard again, and stops no other log. */
  private async heardKeys(news: SealingNews | undefined): Promise<void> {
    const { sealing, log } = this.options;
    if (sealing === undefined || news === undefined) return;
    await sealing
      .heard(news)
      .catch((error: unknown) =>
        log.error('keys of a log were not kept', { alarm: 'keys-not-kept', reason: reason(error) }),
      );
  }

  /** What others wrote, as it is kept here; undefined while a key is waited for. */
  private opened(items: readonly LogItem[]): readonly LogItem[] | undefined {
    const { box, entries } = this;
    if (box === undefined) return items;
    return box.open(items.filter((item) => spanOf(item).origin !== entries.origin));
  }

  private sealed(own: OwnEntry[]): OwnEntry[] | undefined {
    return this.box === undefined ? own : this.box.seal(own, this.entries.origin);
  }

  /** Whether the stream has begun another epoch: what was read before may not be what lies there now, which the hub looks at. */
  private isOther(streamEpoch: number | undefined): boolean {
    const { streamEpoch: mine } = this.entries;
    return streamEpoch !== undefined && mine !== 0 && streamEpoch !== mine;
  }

  private pull(): void {
    if (this.entries.rule.flow !== 'collect') this.pulling.ask();
  }

  private async sendAll(): Promise<void> {
    await this.errands.each(
      () => this.entries.unsent > 0,
      async (pause) => {
        const answer = await this.offer();
        // Goes on when the hub says that there is a key.
        if (answer === undefined) return 'over';
        if (!answer.ok && (answer.code !== 'behind' || answer.stored === undefined))
          return await this.heedRefusal(answer, pause);
        await this.entries.hubHas(answer.stored ?? 0);
        if (answer.ok) return 'went';
        await this.errands.rest(pause);
        return 'again';
      },
      (error, pause) => {
        this.options.log.debug('the hub did not take entries', { reason: reason(error) });
        return pause;
      },
    );
  }

  private async offer(): Promise<EntriesAnswer | undefined> {
    const { project, name, incarnation } = this.entries.rule;
    const [, store] = this.entries.origin.split('.');
    const { from, upTo, entries: own } = await this.entries.unsentEntries();
    const entries = this.sealed(own);
    if (entries === undefined) return undefined;
    return await askHub(this.bus, OFFER, { project, name, incarnation, store, from, upTo, entries });
  }

  private async heedRefusal(answer: Extract<EntriesAnswer, { ok: false }>, pause: number): Promise<Step> {
    if (answer.code === 'refused') {
      const { project, name } = this.entries.rule;
      const why = answer.reason;
      this.entries.trouble = `the hub does not take entries of ${project}/${name}: ${why}`.slice(0, 200);
      await this.errands.rest(pauseForGood('entries', { project, name, reason: why }, this.options));
    } else await this.errands.rest(pauseForNow(answer, pause, this.options.greet));
    return 'later';
  }

  private async pullAll(): Promise<void> {
    await this.errands.each(
      () => this.entries.position < this.head,
      async (pause) => await this.pullPage(pause),
      (error, pause) => {
        this.options.log.debug('a log was not read', { reason: reason(error) });
        return pause;
      },
    );
  }

  /** `over`: the hub does not give it to this site, or has no more. */
  private async pullPage(pause: number): Promise<Step> {
    const { project, name, incarnation } = this.entries.rule;
    const after = this.entries.position;
    const answer = await askHub(this.bus, PULL, { project, name, incarnation, after });
    if (!answer.ok || this.isOther(answer.streamEpoch)) {
      this.options.greet();
      return 'over';
    }
    const { items, upTo } = answer;
    if (upTo <= after) return 'over';
    const opened = this.opened(items);
    if (opened === undefined) return 'over';
    if ((await this.entries.take(opened, { after, upTo })) === 'taken') {
      this.noteWhole();
      return 'went';
    }
    // Own entries go up first: there is no room for others before.
    await this.errands.rest(pause);
    return 'again';
  }
}
