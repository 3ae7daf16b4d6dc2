import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import {
  Refusal,
  type Copy as CopyRule,
  type CopyState,
  type DatasetRecord,
  type Delivery,
  type Stamp,
} from '@skerry/contracts';
import { isDroppable, laterStamp, showState, stampOf, type Shown, type Write } from '@skerry/domain';
import { syncFolder } from '../files/atomic-file.js';
import {
  applyWrite,
  emptyDraft,
  isOfOthers,
  linesOf,
  mergeRecord,
  namesOthers,
  type Beneath,
  type CopyDraft,
} from './copy-draft.js';
import { CopyKeys } from './copy-keys.js';
import { copyState } from './copy-state.js';
import { changedRule, CopyHome, noteHolder, undoneRule } from './copy-home.js';
import { openCopyFile } from './copy-file.js';
import type { CopyLog } from './copy-log.js';
import type { CopyOptions } from './copy-options.js';
import { notWritten, refuseElsewhere } from './copy-refusals.js';
import { EarlyWrites, says } from './early-writes.js';
import { Elsewhere } from './elsewhere.js';
import { GroupCommit } from './group-commit.js';
import { lineIn, marksOf, type Line, type Marks } from './kept-lines.js';
import { MarksLater } from './marks-later.js';
import { restored } from './restored.js';
import { Rewriting } from './rewriting.js';
import { ShownKeys } from './shown-keys.js';
import { PASSED_OVER, WritesUnderWay } from './under-way.js';
import { unsentRecords } from './unsent-records.js';
import { Waiting } from './waiting.js';

/** What became of a delivery: taken, or it follows something that is missing here. */
export type Taken = 'taken' | 'gap';

/**
 * One dataset's copy at this node: all of it in memory, and in a file that a write is on before it is acknowledged. Many writes go
 * to the disk at once. What comes from the hub is kept in order with its place in the hub's stream; lost with the last lines of a
 * file, it is read again from there.
 */
export class Copy {
  private readonly keys = new CopyKeys();
  /** What may be known here of records of other areas. */
  readonly elsewhere = new Elsewhere();
  /** Its part in a home that moves. */
  readonly home: CopyHome;
  private readonly waiting = new Waiting();
  private readonly queue = new GroupCommit<CopyDraft>({
    begin: () => emptyDraft(this.marks, this.clock),
    commit: async (draft) => await this.commit(draft),
    rest: async () => await this.rewriting.tend(!this.closed),
  });
  private readonly rewriting: Rewriting;
  private marks: Marks = { cursor: 0, writes: 0, sent: 0, streamEpoch: 0 };
  private clock: Stamp = [0, 0];
  private closed = false;
  /** What came before the hub had stored it: shown, and nothing else. */
  readonly early = new EarlyWrites((keys) => this.options.onChange(keys));
  /** What it shows, for who lists or compares it. */
  readonly held = new ShownKeys(this.keys, this.early);
  /** What others are given while it is being written. */
  readonly underWay: WritesUnderWay;
  /** As `known`, without changes that are not written yet. */
  private firm: CopyRule;
  private readonly marksLater = new MarksLater(
    async () => await this.queue.do((draft) => void (draft.kept = true)),
  );
  private since = new Date().toISOString();
  /** What is wrong with it, set by who keeps it in step too. */
  trouble: string | undefined;
  private diskTrouble: string | undefined;
  /** The number of the last write is on the disk: those after it are never used again. */
  private mayGive = false;

  private constructor(
    private readonly options: CopyOptions,
    private readonly log: CopyLog,
    private known: CopyRule,
  ) {
    this.home = new CopyHome(options.site, options.covers ?? (() => false));
    this.home.settle(known.holder);
    this.underWay = new WritesUnderWay(this.origin);
    this.firm = known;
    this.rewriting = new Rewriting(log, {
      lines: () => this.lines(this.head()),
      last: () => [marksOf(this.marks)],
      needed: () => this.keys.bytes + this.elsewhere.bytes,
      filled: () => this.queue.ask(),
      failed: (error) => void this.failed(error),
    });
  }

  /** Reads what is on the disk; undefined when there is nothing, and no rule to begin by. */
  static async open(options: CopyOptions, rule?: CopyRule): Promise<Copy | undefined> {
    const opened = await openCopyFile(options.path, rule);
    if (opened === undefined) return undefined;
    const { log, kept } = opened;
    // Who has written in it goes on writing.
    const store = kept?.store ?? options.store;
    const copy = new Copy({ ...options, store }, log, opened.rule);
    if (kept !== undefined) copy.since = kept.since;
    const { damaged } = await log.read((value) => copy.restore(lineIn(value)));
    if (damaged) copy.mend();
    copy.waiting.countAnew(copy.keys.writtenAfter(copy.marks.sent));
    if (kept === undefined) await log.append([copy.head()], { durable: true });
    else copy.marks.writes += PASSED_OVER;
    return copy;
  }

  get rule(): CopyRule {
    return this.known;
  }
  get origin(): string {
    return `${this.options.site}.${this.options.store}`;
  }
  get cursor(): number {
    return this.marks.cursor;
  }
  /** The epoch of the hub's stream that was read last; 0: not known. */
  get streamEpoch(): number {
    return this.marks.streamEpoch;
  }
  get unsent(): number {
    return this.waiting.count;
  }
  /** The hub has said that it has every write up to this one. */
  get sentUpTo(): number {
    return this.marks.sent;
  }
  /** What is wrong with it now, its disk first. */
  get problem(): string | undefined {
    return this.diskTrouble ?? this.trouble ?? this.home.trouble;
  }
  get root(): string {
    return this.keys.root;
  }

  state(): Omit<CopyState, 'site' | 'node'> {
    return copyState(this.parts, { cursor: this.cursor, since: this.since, trouble: this.problem });
  }

  /** Other limits or another time to live; what records are made of stays. Of an older generation when the hub has lost a newer one. */
  async change(rule: CopyRule): Promise<void> {
    const { known: before } = this;
    const { next, isOther } = changedRule(before, rule) ?? { next: before, isOther: false };
    if (next === before && this.home.hasSettled(next)) return;
    this.known = next;
    // What was forgotten since it had run out may live again.
    const livesLonger = (next.ttlMs ?? Infinity) > (before.ttlMs ?? Infinity);
    // Done by who writes, when nothing else is being written. An agent of before knew nothing of areas, and left out what is elsewhere.
    const done = this.job((draft) => {
      draft.rule = next;
      if (rule.area !== before.area || livesLonger) draft.cursor = 0;
      if (!this.home.hasSettled(next)) noteHolder(draft, next.holder);
    });
    await done.catch((error: unknown) => {
      this.known = undoneRule(before, this.known);
      throw error;
    });
    this.rewriting.isDue ||= isOther;
    this.queue.ask();
  }

  show(key: string): Shown | undefined {
    const state = this.held.get(key);
    return state && showState(state, { ttlMs: this.known.ttlMs, nowMs: Date.now() });
  }

  /** Applies a write; resolves when it is on the disk. Throws a `Refusal`, with nothing changed. */
  async write(key: string, write: Write): Promise<void> {
    refuseElsewhere(this.known, this.options.site);
    // What it says that it has seen has to be there for good.
    if (namesOthers(this.known)) await this.early.settled(key);
    await this.job((draft) => {
      // Here, not before: what closes a home waits for what was begun.
      this.home.check(this.known);
      applyWrite(draft, this.beneath, { key, write, nowMs: Date.now() });
    });
  }

  /** Takes what the hub has, which follows what lay there up to `after`. */
  async take(
    records: readonly DatasetRecord[],
    { after, upTo, elsewhere = [] }: Pick<Delivery, 'after' | 'upTo' | 'elsewhere'>,
  ): Promise<Taken> {
    let taken: Taken = 'taken';
    await this.job((draft) => {
      if (after > draft.cursor) return void (taken = 'gap');
      for (const record of records) mergeRecord(draft, this.beneath, record);
      for (const record of elsewhere) draft.elsewhere.push(record);
      draft.cursor = Math.max(draft.cursor, upTo);
    });
    if (taken === 'taken') this.early.placed(records);
    return taken;
  }

  /** Shows what the hub has not stored yet, until it comes with its place. */
  takeEarly(records: readonly DatasetRecord[]): void {
    if (this.closed) return;
    const mine = records.filter(({ state }) => state.rule === this.known.conflicts);
    const keys = this.early.came(mine, (key) => this.keys.get(key)?.state, performance.now());
    // What is written here from now on has seen it.
    for (const { state } of mine) this.clock = laterStamp(this.clock, stampOf(state) ?? this.clock);
    if (keys.length > 0) this.options.onChange(keys);
  }

  /** What the hub has not got, oldest first, as much as one message holds. */
  unsentRecords(): ReturnType<typeof unsentRecords> {
    return unsentRecords(this.waiting, this.keys, this.origin);
  }

  /** The hub has every write up to this one. */
  async sent(upTo: number): Promise<void> {
    await this.job((draft) => {
      draft.sent = Math.max(draft.sent, upTo);
    });
    this.waiting.sent(upTo);
  }

  /** The hub has lost what came after: it is sent once more. */
  async sendAgain(after: number): Promise<void> {
    if (after >= this.marks.sent) return;
    await this.job((draft) => {
      draft.sent = Math.min(draft.sent, after);
    });
    this.waiting.countAnew(this.keys.writtenAfter(this.marks.sent));
  }

  /** The hub has every write up to this one; what is left of a time as home that is over is set aside. */
  async setAside(stored: number): Promise<void> {
    if (this.known.holder === undefined || (this.unsent === 0 && !this.home.inDoubt)) return;
    const of = { ...this.parts, origin: this.origin, stored };
    await this.job(
      (draft) =>
        void (this.rewriting.isDue = this.home.setAside(draft, this.known, of) || this.rewriting.isDue),
    );
    this.waiting.sent(this.marks.sent);
  }

  /** Everything that the hub has is here. */
  isWhole(): void {
    const hollow = this.home.takeHollow();
    for (const key of hollow) this.keys.delete(key);
    if (hollow.length > 0) this.options.onChange(hollow);
  }

  /** Reads everything from the hub once more; also when this node loses power from here on. */
  async readAgain(): Promise<void> {
    await this.job((draft) => {
      [draft.cursor, draft.kept, draft.durable] = [0, true, true];
    });
  }

  /** What is read of the hub's stream from now on is of this epoch of it. */
  async readsEpoch(epoch: number): Promise<void> {
    if (epoch !== this.streamEpoch) await this.job((draft) => void (draft.streamEpoch = epoch));
  }

  /** Forgets what has run out, and old deletions. */
  async sweep(nowMs: number): Promise<void> {
    this.home.sweep(nowMs);
    await this.elsewhere.sweep({ ttlMs: this.known.ttlMs, nowMs });
    await this.keys.sweep((key, { state }) => {
      if (this.closed) return 'stop';
      return !this.waiting.has(key) && isDroppable(state, this.known.ttlMs, nowMs);
    });
  }

  async close(): Promise<void> {
    this.closed = true;
    this.early.close();
    await this.marksLater.now();
    await this.queue.settled();
    await this.rewriting.settled();
    await this.queue.settled();
    await this.log.close();
  }

  /** It may not be here any more: nothing of it stays. */
  async forget(): Promise<void> {
    await this.rewriting.giveUp();
    await this.close();
    for (const ending of ['', '.damaged', '.new']) await rm(`${this.options.path}${ending}`, { force: true });
    await syncFolder(dirname(this.options.path));
  }

  private get parts() {
    const { keys, elsewhere, home, waiting } = this;
    return { keys, elsewhere, home, waiting };
  }

  private get beneath(): Beneath {
    return { rule: this.known, origin: this.origin, keys: this.keys };
  }

  private async job(run: (draft: CopyDraft) => void): Promise<void> {
    if (this.closed) throw new Refusal('unavailable', 'this copy is closed');
    await this.queue.do(run);
  }

  private async commit(draft: CopyDraft): Promise<void> {
    const lines = linesOf(draft);
    if (lines.length > 0 || draft.kept) lines.push(marksOf(draft));
    else this.marksLater.soon();
    // What others wrote is shown before it is in the file: what a crash takes of it is read from the hub again.
    const undo = this.diskTrouble === undefined && isOfOthers(draft) ? await this.shown(draft) : undefined;
    const isGiven = this.mayGive && this.underWay.begin(draft, this.known, this.marks.writes);
    // First it leaves: the connection sends what it was told when this turn is over.
    if (isGiven) await Promise.resolve();
    try {
      if (lines.length > 0) await this.log.append(lines, { durable: draft.durable });
    } catch (error) {
      undo?.();
      // Others were given writes of these numbers.
      if (isGiven) this.marks.writes = draft.writes;
      throw this.failed(error);
    }
    if (lines.length > 0) this.diskTrouble = undefined;
    this.mayGive ||= draft.durable;
    if (undo === undefined) this.install(draft);
  }

  /** Shows it, and lets who watches be answered; what puts all back, since nothing stays here that the file is without. */
  private async shown(draft: CopyDraft): Promise<() => void> {
    const { marks } = this;
    const undo = this.keys.undoing(draft.keys.keys());
    this.install(draft);
    await setImmediate();
    return () => {
      undo();
      this.marks = marks;
      this.options.onChange([...draft.keys.keys()]);
    };
  }

  private failed(error: unknown): Refusal {
    const { trouble, refusal } = notWritten(this.known, 'writes to', error);
    [this.diskTrouble, this.mayGive] = [trouble, false];
    return refusal;
  }

  private install(draft: CopyDraft): void {
    const { marks } = this;
    const nowMs = Date.now();
    const changed = draft.elsewhere.map(({ key }) => key);
    for (const [key, held] of draft.keys) {
      const shown = this.early.has(key) ? this.held.get(key) : undefined;
      this.keys.set(key, held);
      if (shown === undefined || !says(this.held.get(key), shown)) changed.push(key);
      this.home.holds(key, held.state);
      if (held.own > marks.writes) this.waiting.add(key, held.own, nowMs);
      // Set aside.
      else if (held.own === 0) this.waiting.drop(key);
    }
    this.elsewhere.take(draft.elsewhere);
    this.home.install(draft.aside);
    if (draft.holder !== undefined) this.home.settle(draft.holder);
    if (draft.rule !== undefined) this.firm = draft.rule;
    const { cursor, writes, sent, streamEpoch } = draft;
    this.marks = { cursor, writes, sent, streamEpoch };
    this.clock = laterStamp(this.clock, draft.clock);
    if (draft.durable) this.trouble = undefined;
    if (changed.length > 0) this.options.onChange(changed);
  }

  private restore(line: Line): void {
    const { known, marks: before, clock: at } = this;
    const { rule, marks, clock } = restored(line, this.parts, { rule: known, marks: before, clock: at });
    [this.firm, this.known, this.marks, this.clock] = [rule, rule, marks, clock];
  }

  /** Lines are lost: everything is read again, and everything written here is offered again. */
  private mend(): void {
    this.marks = { ...this.marks, cursor: 0, sent: 0 };
    this.trouble = `the file of ${this.known.project}/${this.known.name} was damaged: a write here that was not sent may be lost`;
    this.rewriting.isDue = true;
  }

  private head(): Line {
    return { kind: 'Copy', copy: this.firm, store: this.options.store, since: this.since };
  }

  private *lines(head: Line): Generator<Line> {
    yield head;
    yield* this.keys.lines();
    yield* this.elsewhere.lines();
    yield* this.home.lines();
  }
}
