import type { Bus } from '@skerry/bus';
import {
  LIMITS,
  pullAnswerSchema,
  recordsAnswerSchema,
  SITE,
  type Delivery,
  type RecordsAnswer,
  type DatasetRecord,
  type Given,
  type OtherSites,
  type OwnRecord,
  type SealingNews,
} from '@skerry/contracts';
import { reason, type Log } from '../log.js';
import { askHub } from './ask-hub.js';
import type { CopySealing } from '../sealing/copy-sealing.js';
import type { Copy } from './copy.js';
import { Errands, pauseForGood, pauseForNow, type Step } from './errands.js';
import type { Giving } from './giving.js';
import { Repeated } from './repeated.js';

const ANSWER_MS = 3_000;
/** Less than a disk takes, or the way to another site. */
const GATHER_MS = 3;
const OFFER = { subject: SITE.records, schema: recordsAnswerSchema, timeoutMs: ANSWER_MS };
const PULL = { subject: SITE.pull, schema: pullAnswerSchema, timeoutMs: ANSWER_MS };

export interface CopySyncOptions {
  /** Whether the hub has not been heard for a while: then nothing is tried. */
  silent: () => boolean;
  /** Where both are has to be said again: the hub does not know this copy, or is back after it was not there. */
  greet: () => void;
  /** The hub has lost writes of here that it had. */
  lost?: () => void;
  /** It has everything that the hub said there is. */
  whole?: () => unknown;
  /** Whether others may be given writes before they are on this node's disk: not when it may not take them. */
  mayGoAhead: () => boolean;
  /** Gives to other sites directly what they may have so. Default: nothing goes but by the hub. */
  giving?: Giving | undefined;
  /** Of an encrypted dataset: what leaves is sealed, and what comes is opened. */
  sealing?: CopySealing | undefined;
  log: Log;
}

/** One copy's way up and down. One batch is on its way at a time in each direction; what is written meanwhile goes with the next. */
export class CopySync {
  private readonly errands: Errands;
  private readonly sending = new Repeated(async () => await this.sendAll());
  private readonly pulling = new Repeated(async () => await this.pullAll());
  private head = 0;
  /** The hub has said where it is. */
  private told = false;
  /** The newest write of here that the hub has, as it said last. */
  private stored: number | undefined;
  /** Up to which write others were given what was not on the disk yet, and which others. */
  private ahead: { mark: string | undefined; upTo: number } | undefined;

  constructor(
    private readonly bus: Bus,
    private readonly copy: Copy,
    private readonly options: CopySyncOptions,
  ) {
    this.errands = new Errands(options.silent);
    copy.underWay.givenBy((records, before) => this.giveAhead(records, before));
  }

  get incarnation(): number {
    return this.copy.rule.incarnation;
  }

  /** By how many sequences of the hub's stream; undefined: the hub has not said where it is. */
  get behind(): number | undefined {
    const missed = this.options.sealing?.missed === true ? 1 : 0;
    return this.told ? Math.max(missed, this.head - this.copy.cursor) : undefined;
  }

  stop(): void {
    this.copy.underWay.givenBy(() => false);
    this.errands.stop();
  }

  /** Where the hub is with this copy. */
  async heardWhere({
    head,
    stored,
    again,
    streamEpoch,
    sealing,
    others,
  }: {
    head: number;
    stored: number | undefined;
    again: boolean;
    streamEpoch?: number | undefined;
    sealing?: SealingNews | undefined;
    others?: OtherSites | undefined;
  }): Promise<void> {
    this.options.giving?.heard(others);
    const opened = await this.heardKeys(sealing);
    // While something is on its way this may be old; what follows what the hub has lost is not taken.
    if (stored !== undefined && !this.sending.runs) await this.hasOnly(stored);
    else this.stored ??= stored;
    if (stored !== undefined) await this.copy.setAside(stored);
    // A stream that ends before what was read of it is another one.
    if (again || (opened && this.copy.cursor > 0) || head < this.copy.cursor) {
      const { project, name } = this.copy.rule;
      this.options.log.warn('a copy is read again from its beginning', { project, name, head, again });
      await this.copy.readAgain();
    }
    if (streamEpoch !== undefined) await this.copy.readsEpoch(streamEpoch);
    this.head = head;
    this.told = true;
    this.noteWhole();
    this.pull();
    this.send();
  }

  /** Something came down. */
  hear({ records, after, upTo, elsewhere, streamEpoch }: Delivery): void {
    if (this.isOther(streamEpoch)) return this.options.greet();
    this.head = Math.max(this.head, upTo);
    // Before the hub has stored it: it moves no cursor.
    if (upTo === after && records.length > 0) {
      this.copy.takeEarly(this.opened(records));
      return this.pull();
    }
    this.copy.take(this.opened(records), { after, upTo, elsewhere }).then(
      (taken) => (taken === 'gap' ? this.pull() : this.noteWhole()),
      (error: unknown) => {
        this.options.log.warn('records were not taken', { reason: reason(error) });
        // Asked for until they are: this delivery does not come again.
        this.pull();
      },
    );
  }

  /** The site with an account has given this; why not, when it may not. */
  hearGiven(account: string, given: Given): string | undefined {
    if (given.incarnation !== this.incarnation) return undefined;
    const taken = this.options.giving?.taken(this.copy.rule, account, given);
    if (taken !== undefined && 'refused' in taken) return taken.refused;
    if (taken !== undefined && 'records' in taken) this.copy.takeEarly(taken.records);
    else if (taken !== undefined) this.options.greet();
    return undefined;
  }

  /** Sends what the hub has not got, until it has all. */
  send(): void {
    this.sending.ask();
  }

  private async hasOnly(stored: number): Promise<void> {
    this.stored = stored;
    if (stored < this.copy.sentUpTo) this.options.lost?.();
    await this.copy.sendAgain(stored);
  }

  private noteWhole(): void {
    if (this.behind !== 0) return;
    this.copy.isWhole();
    this.options.whole?.();
  }

  /** Whether the stream has begun another epoch: what was read before may not be what lies there now, which the hub looks at. */
  private isOther(streamEpoch: number | undefined): boolean {
    const { streamEpoch: mine } = this.copy;
    return streamEpoch !== undefined && mine !== 0 && streamEpoch !== mine;
  }

  private pull(): void {
    this.pulling.ask();
  }

  /** Gives to other sites what is about to be on the disk; nothing that the hub may not be about to hear of. */
  private giveAhead(records: OwnRecord[], before: number): boolean {
    const { silent, mayGoAhead } = this.options;
    if (!this.told || this.errands.ended || silent() || !mayGoAhead()) return false;
    // In their order: nothing that is older may still have to go.
    if (this.copy.unsent > 0 && (this.ahead?.upTo ?? 0) < before) return false;
    const { unsent } = this.copy;
    const { ahead } = this;
    if (!this.give(records)) return false;
    // Of what was given by another mark before, nobody may have got anything.
    if (unsent > 0 && this.ahead !== undefined && ahead?.mark !== this.ahead.mark)
      this.ahead.mark = undefined;
    return true;
  }

  /** Gives to other sites what they were not given yet; whether they were given it. */
  private give(records: OwnRecord[]): boolean {
    if (this.isAhead(records)) return true;
    const [, store = ''] = this.copy.origin.split('.');
    const mark = this.options.giving?.give(this.copy.rule, store, records);
    if (mark === undefined) return false;
    this.ahead = { mark, upTo: Math.max(...records.map(({ write }) => write)) };
    return true;
  }

  private async sendAll(): Promise<void> {
    let failed = false;
    await this.gather();
    await this.errands.each(
      () => this.copy.unsent > 0,
      async (pause) => {
        const { records, upTo } = this.copy.unsentRecords();
        const leaving = this.sealed(records);
        // Goes on when the hub says that there is a key.
        if (leaving === undefined) return 'over';
        const answer = leaving.length === 0 ? OK : await this.offer(leaving);
        if (!answer.ok) return await this.heedRefusal(answer, pause);
        for (const { write } of leaving) this.stored = Math.max(this.stored ?? 0, write);
        await this.copy.sent(upTo);
        if (failed) this.options.greet();
        failed = false;
        return 'went';
      },
      (error, pause) => {
        this.options.log.debug('the hub did not take records', { reason: reason(error) });
        failed = true;
        return pause;
      },
    );
  }

  /** What others have been given already waits a moment for what follows it: one message, and no other program is woken meanwhile. */
  private async gather(): Promise<void> {
    const { unsent } = this.copy;
    const isFew = this.ahead !== undefined && unsent > 0 && unsent <= LIMITS.givenRecords;
    if (isFew && this.isAhead(this.copy.unsentRecords().records)) await this.errands.rest(GATHER_MS);
  }

  private isAhead(records: readonly OwnRecord[]): boolean {
    return records.every(({ write }) => write <= (this.ahead?.upTo ?? 0));
  }

  /** True when records that were passed over can be opened now. What fails here is heard again, and stops no other copy. */
  private async heardKeys(news: SealingNews | undefined): Promise<boolean> {
    const { sealing, log } = this.options;
    if (sealing === undefined || news === undefined) return false;
    return await sealing
      .heard(news, async () => await this.copy.readAgain())
      .catch((error: unknown) => {
        log.error('keys of a dataset were not kept', { alarm: 'keys-not-kept', reason: reason(error) });
        return false;
      });
  }

  private sealed(records: OwnRecord[]): OwnRecord[] | undefined {
    const { sealing } = this.options;
    return sealing === undefined ? records : sealing.seal(records, this.copy.origin);
  }

  private opened(records: DatasetRecord[]): DatasetRecord[] {
    return this.options.sealing?.open(records) ?? records;
  }

  private async offer(records: OwnRecord[]): Promise<RecordsAnswer> {
    const { project, name, incarnation } = this.copy.rule;
    const [, store] = this.copy.origin.split('.');
    // What the disk says may be more: of a key that somebody else has written over nothing was sent. Then a question is for nothing.
    const after = this.stored ?? this.copy.sentUpTo;
    const body = { project, name, incarnation, store, records, after };
    // First: others wait for it.
    const given = this.give(records) ? this.ahead?.mark : undefined;
    const answer = await askHub(this.bus, OFFER, given === undefined ? body : { ...body, given });
    if (answer.ok && answer.others !== undefined) this.options.giving?.heard(answer.others ?? undefined);
    return answer;
  }

  private async heedRefusal(answer: Extract<RecordsAnswer, { ok: false }>, pause: number): Promise<Step> {
    const { project, name } = this.copy.rule;
    const { code, reason: why, retryAfterMs, stored } = answer;
    if (stored !== undefined) await this.hasOnly(stored);
    if (code !== 'unavailable')
      this.copy.trouble = `the hub does not take writes to ${project}/${name}: ${why}`.slice(0, 200);
    switch (code) {
      case 'unavailable':
        await this.errands.rest(pauseForNow(answer, pause, this.options.greet));
        break;
      case 'ahead':
        await this.errands.rest(Math.max(retryAfterMs, pause));
        break;
      case 'refused':
        await this.errands.rest(pauseForGood('records', { project, name, reason: why }, this.options));
        break;
    }
    return 'later';
  }

  private async pullAll(): Promise<void> {
    await this.errands.each(
      () => this.copy.cursor < this.head,
      async () => await this.pullPage(),
      (error, pause) => {
        this.options.log.debug('a copy was not read', { reason: reason(error) });
        return pause;
      },
    );
  }

  /** `over`: the hub does not give it to this site, or has no more. */
  private async pullPage(): Promise<Step> {
    const { project, name, incarnation } = this.copy.rule;
    const after = this.copy.cursor;
    const answer = await askHub(this.bus, PULL, { project, name, incarnation, after });
    if (!answer.ok) {
      this.options.greet();
      return 'over';
    }
    const { records, upTo, elsewhere, streamEpoch } = answer;
    if (this.isOther(streamEpoch)) {
      this.options.greet();
      return 'over';
    }
    await this.copy.take(this.opened(records), { after, upTo, elsewhere });
    this.noteWhole();
    return upTo > after ? 'went' : 'over';
  }
}

const OK: RecordsAnswer = { ok: true };
