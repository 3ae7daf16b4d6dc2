import { rename, rm } from 'node:fs/promises';
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
import { applyWrite, isOfOthers, linesOf, mergeRecord, type Beneath, type CopyDraft } from './copy-draft.js';
import { CopyKeys } from './copy-keys.js';
import { changedRule, CopyHome, noteHolder, undoneRule } from './copy-home.js';
import { CopyLog } from './copy-log.js';
import type { CopyOptions } from './copy-options.js';
import { notWritten, refuseElsewhere } from './copy-refusals.js';
import { EarlyWrites } from './early-writes.js';
import { Elsewhere } from './elsewhere.js';
import { GroupCommit } from './group-commit.js';
import { headSchema, lineIn, marksIn, marksOf, type Line, type Marks } from './kept-lines.js';
import { Rewriting } from './rewriting.js';
import { unsentRecords } from './unsent-records.js';
import { Waiting } from './waiting.js';

/** How long marks that nothing was written with wait for the next line of the file. */
const MARKS_MS = 1_000;

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
    begin: () => {
      const nothing = { keys: new Map(), elsewhere: [], aside: new Map(), durable: false, kept: false };
      return { ...this.marks, ...nothing, clock: this.clock };
    },
    commit: async (draft) => await this.commit(draft),
    rest: async () => await this.rewriting.tend(!this.closed),
  });
  private readonly rewriting: Rewriting;
  private marks: Marks = { cursor: 0, writes: 0, sent: 0, streamEpoch: 0 };
  private clock: Stamp = [0, 0];
  private closed = false;
  readonly early = new EarlyWrites();
  /** As `known`, without changes that are not written yet. */
  private firm: CopyRule;
  private marksTimer: NodeJS.Timeout | undefined;
  private since = new Date().toISOString();
  /** What is wrong with it, set by who keeps it in step too. */
  trouble: string | undefined;
  private diskTrouble: string | undefined;

  private constructor(
    private readonly options: CopyOptions,
    private readonly log: CopyLog,
    private known: CopyRule,
  ) {
    this.home = new CopyHome(options.site, options.covers ?? (() => false));
    this.home.settle(known.holder);
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
    const log = await CopyLog.open(options.path);
    const head = headSchema.safeParse(await log.first());
    const kept = head.success ? head.data : undefined;
    const first = rule ?? kept?.copy;
    if (first === undefined || (kept === undefined && log.bytes > 0)) {
      await log.close();
      // What it was is not known any more; for people to look at.
      if (log.bytes > 0) await rename(options.path, `${options.path}.damaged`);
      else await rm(options.path, { force: true });
      return first === undefined ? undefined : await Copy.open(options, first);
    }
    // Who has written in it goes on writing.
    const store = kept?.store ?? options.store;
    const copy = new Copy({ ...options, store }, log, kept?.copy ?? first);
    if (kept !== undefined) copy.since = kept.since;
    const { damaged } = await log.read((value) => copy.restore(lineIn(value)));
    if (damaged) copy.mend();
    copy.waiting.countAnew(copy.keys.writtenAfter(copy.marks.sent));
    if (kept === undefined) await log.append([copy.head()], { durable: true });
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
    const [unsentSince, trouble] = [this.waiting.sinceMs, this.problem];
    return {
      keys: this.keys.count,
      bytes: this.keys.bytes,
      digest: this.root,
      cursor: this.cursor,
      unsent: this.unsent,
      ...(unsentSince === undefined ? {} : { unsentSince: new Date(unsentSince).toISOString() }),
      since: this.since,
      ...(trouble === undefined ? {} : { trouble }),
    };
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
    const held = this.keys.get(key);
    return held && showState(held.state, { ttlMs: this.known.ttlMs, nowMs: Date.now() });
  }

  /** What it holds, for who lists or compares it. */
  get held(): Pick<CopyKeys, 'ranges' | 'firstAfter' | 'siblings'> {
    return this.keys;
  }

  /** Applies a write; resolves when it is on the disk. Throws a `Refusal`, with nothing changed. */
  async write(key: string, write: Write): Promise<void> {
    refuseElsewhere(this.known, this.options.site);
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
      if (after > draft.cursor) {
        taken = 'gap';
        return;
      }
      for (const record of records) mergeRecord(draft, this.beneath, record);
      for (const record of elsewhere) draft.elsewhere.push(record);
      if (upTo > draft.cursor) this.early.placed(records);
      else if (upTo === after && upTo === draft.cursor) this.early.came(records);
      draft.cursor = Math.max(draft.cursor, upTo);
    });
    return taken;
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
    const of = { waiting: this.waiting, keys: this.keys, origin: this.origin, stored };
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
    for await (const [key, held] of this.keys.slowly()) {
      if (this.closed) return;
      if (this.waiting.has(key) || !isDroppable(held.state, this.known.ttlMs, nowMs)) continue;
      this.keys.delete(key);
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    if (this.marksTimer !== undefined) await this.keepMarks();
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

  private get beneath(): Beneath {
    return { rule: this.known, origin: this.origin, keys: this.keys };
  }

  private async job(run: (draft: CopyDraft) => void): Promise<void> {
    if (this.closed) throw new Refusal('unavailable', 'this copy is closed');
    await this.queue.do(run);
  }

  /** Marks alone may be lost: then the same is sent or read once more. So they wait for the next line, for a while. */
  private async keepMarks(): Promise<void> {
    clearTimeout(this.marksTimer);
    this.marksTimer = undefined;
    await this.queue.do((draft) => void (draft.kept = true)).catch(() => undefined);
  }

  private async commit(draft: CopyDraft): Promise<void> {
    const lines = linesOf(draft);
    if (lines.length > 0 || draft.kept) lines.push(marksOf(draft));
    else this.marksTimer ??= setTimeout(() => void this.keepMarks(), MARKS_MS).unref();
    // What others wrote is shown before it is in the file: what a crash takes of it is read from the hub again.
    const undo = this.diskTrouble === undefined && isOfOthers(draft) ? await this.shown(draft) : undefined;
    try {
      if (lines.length > 0) await this.log.append(lines, { durable: draft.durable });
    } catch (error) {
      undo?.();
      throw this.failed(error);
    }
    if (lines.length > 0) this.diskTrouble = undefined;
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
    this.diskTrouble = trouble;
    return refusal;
  }

  private install(draft: CopyDraft): void {
    const { marks } = this;
    const nowMs = Date.now();
    for (const [key, held] of draft.keys) {
      this.keys.set(key, held);
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
    this.clock = draft.clock;
    if (draft.durable) this.trouble = undefined;
    const changed = [...draft.keys.keys(), ...draft.elsewhere.map(({ key }) => key)];
    if (changed.length > 0) this.options.onChange(changed);
  }

  private restore(line: Line): void {
    if (!Array.isArray(line)) return;
    if (line[0] === 'm') return void (this.marks = marksIn(line));
    if (line[0] === 'e') return this.elsewhere.take([{ area: line[1], key: line[2], state: line[3] }]);
    if (line[0] === 'a' || line[0] === 'h') {
      this.firm = this.known = this.home.restore(line, this.known);
      return;
    }
    const [, key, own, state] = line;
    this.keys.set(key, { state, own });
    this.home.holds(key, state);
    const at = stampOf(state);
    if (at !== undefined) this.clock = laterStamp(this.clock, at);
    this.marks = { ...this.marks, writes: Math.max(this.marks.writes, own) };
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
