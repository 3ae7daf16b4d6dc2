import { isDeepStrictEqual } from 'node:util';
import {
  Refusal,
  type CopyState,
  type LogItem,
  type LogRule,
  type OwnEntry,
  type Tailed,
  type TailOperation,
} from '@skerry/contracts';
import { closeWindow, endWindow, following, type Fold } from '@skerry/domain';
import { notWritten } from '../copy-refusals.js';
import { GroupCommit } from '../group-commit.js';
import { marksOf, type Draft, type Marks } from './entry-draft.js';
import { headSchema, lineSchema, mostWriters, type Head, type Line } from './entry-lines.js';
import { foldValues } from './fold-values.js';
import { ENTRY_BYTES, readTail, readUnsent } from './read-entries.js';
import { Segments } from './segments.js';

/** Most of one file, and how many make up what a log may grow to: the oldest goes a file at a time. */
const PART_BYTES = 256 * 1024;
const PARTS = 8;

/** What became of a delivery: taken; it follows something that is missing here; or there is no room before own entries went up. */
export type Heard = 'taken' | 'gap' | 'full';

export interface EntryLogOptions {
  folder: string;
  site: string;
  /** Who writes in it, when it is made. */
  store: string;
  /** Called when there is more to read. */
  onMore: () => void;
}

/**
 * One log at this node, on the disk, within the bytes that its dataset allows: entries written here, what the edge's rule let
 * through of them, numbered without a hole; and what came from others. The oldest goes first. What goes before the hub got it is
 * missing in the numbers, which the hub sees and tells to everyone.
 */
export class EntryLog {
  private readonly queue = new GroupCommit<Draft>({
    begin: () => this.draft(),
    commit: async (draft) => await this.commit(draft),
    rest: async () => await Promise.resolve(),
  });
  private readonly folds = new Map<string, Fold>();
  private marks: Marks = { place: 0, written: 0, sent: 0, cursor: 0, streamEpoch: 0, reached: {} };
  private closed = false;
  private since = new Date().toISOString();
  trouble: string | undefined;

  private constructor(
    private readonly options: EntryLogOptions,
    private readonly segments: Segments<Line>,
    private known: LogRule,
  ) {}

  /** Reads what is on the disk; undefined when there is nothing, and no rule to begin by. */
  static async open(options: EntryLogOptions, rule?: LogRule): Promise<EntryLog | undefined> {
    const parse = (value: unknown) => lineSchema.safeParse(value).data;
    const { segments, first, lines } = await Segments.open(options.folder, parse);
    const head = first === undefined ? undefined : headSchema.parse(first);
    const known = head?.rule ?? rule;
    if (known === undefined) return undefined;
    // Who has written in it goes on writing.
    const store = head?.store ?? options.store;
    const log = new EntryLog({ ...options, store }, segments, known);
    if (head === undefined) await log.beginPart();
    else log.restore(head, lines);
    return log;
  }

  get rule(): LogRule {
    return this.known;
  }
  get origin(): string {
    return `${this.options.site}.${this.options.store}`;
  }
  /** Where it is in the hub's stream, and how many of its own entries the hub has not got. */
  get position(): number {
    return this.marks.cursor;
  }
  get unsent(): number {
    return this.marks.written - this.marks.sent;
  }
  /** How many entries were written here, with those that windows which are open will make. */
  get written(): number {
    return this.marks.written + [...this.folds.values()].filter(({ keep }) => keep === 'windows').length;
  }
  /** Whether the hub has not got all of these. */
  get owes(): boolean {
    return this.written > this.marks.sent;
  }

  state(): Omit<CopyState, 'site' | 'node'> {
    const { written, cursor } = this.marks;
    const trouble = this.trouble === undefined ? {} : { trouble: this.trouble };
    const { since, unsent } = this;
    return { keys: written, bytes: this.segments.bytes, digest: '-', cursor, unsent, since, ...trouble };
  }

  /**
   * Other limits, or another rule at the edge: windows that are open end then. What the hub says counts, also when it has lost a newer
   * rule that was known here.
   */
  async change(rule: LogRule): Promise<void> {
    if (isDeepStrictEqual(rule, this.known)) return;
    await this.job((draft) => {
      const before = draft.rule.edge;
      draft.rule = rule;
      if (before !== undefined && JSON.stringify(before) !== JSON.stringify(rule.edge)) {
        const folds = this.foldsIn(draft);
        const open = [...folds].flatMap(([sensor, fold]) => endWindow(before, sensor, fold) ?? []);
        this.write(
          draft,
          open,
          [...folds.keys()].map((sensor) => [sensor, null]),
        );
      }
    });
  }

  /** Takes entries, all or none; resolves when they are on the disk, with how many of them travel. Throws a `Refusal`. */
  async append(values: readonly string[]): Promise<number> {
    let kept = 0;
    await this.job((draft) => (kept = this.apply(draft, values, Date.now())));
    return kept;
  }

  /** Ends windows that are over. */
  async closeWindows(nowMs: number): Promise<void> {
    const rule = this.known.edge;
    if (rule?.keep !== 'windows' || this.folds.size === 0 || this.closed) return;
    if (![...this.folds].some(([sensor, fold]) => closeWindow(rule, sensor, fold, nowMs) !== undefined))
      return;
    await this.job((draft) => {
      const over = [...this.foldsIn(draft)].flatMap(([sensor, fold]) => {
        const kept = closeWindow(rule, sensor, fold, nowMs);
        return kept === undefined ? [] : [{ sensor, kept }];
      });
      this.write(
        draft,
        over.map(({ kept }) => kept),
        over.map(({ sensor }) => [sensor, null]),
      );
    });
  }

  /** Forgets what is older than the dataset keeps it, a file at a time. */
  async expire(nowMs: number): Promise<void> {
    const { ttlMs } = this.known;
    if (ttlMs === undefined || this.closed) return;
    await this.job((draft) => (draft.expired = nowMs - ttlMs));
  }

  /** Takes what the hub has, which follows what lay there up to `after`. */
  async take(items: readonly LogItem[], { after, upTo }: { after: number; upTo: number }): Promise<Heard> {
    let heard: Heard = 'taken';
    await this.job((draft) => {
      if (after > draft.cursor) heard = 'gap';
      else if (this.isFull(draft, items)) heard = 'full';
      else if (upTo > draft.cursor) this.hear(draft, items, upTo);
    });
    return heard;
  }

  /** What the hub has not got, oldest first, as much as goes into one message. What is missing of it is gone. */
  async unsentEntries(): Promise<{ from: number; upTo: number; entries: OwnEntry[] }> {
    const { sent, written } = this.marks;
    const sealed = this.known.encryption !== undefined;
    return await readUnsent(this.segments, { origin: this.origin, from: sent + 1, written, sealed });
  }

  /** Up to where the hub has own entries: further than was known, or not as far, when it has lost some. */
  async hubHas(stored: number): Promise<void> {
    if (stored === this.marks.sent) return;
    await this.job((draft) => {
      draft.sent = stored;
      if (stored <= draft.written) return;
      // This disk is an older copy of itself: what was written under those numbers is known elsewhere.
      this.trouble = `the hub has entry ${stored} of ${this.known.project}/${this.known.name} from here, which this disk does not have`;
      draft.written = stored;
    });
  }

  /** The epoch of the hub's stream that was read last; 0: not known. */
  get streamEpoch(): number {
    return this.marks.streamEpoch;
  }

  /** What is read of the hub's stream from now on is of this epoch of it. */
  async readsEpoch(epoch: number): Promise<void> {
    if (epoch !== this.streamEpoch) await this.job((draft) => (draft.streamEpoch = epoch));
  }

  /** The hub's stream is another one: it is read from its beginning. */
  async readAgain(): Promise<void> {
    await this.job((draft) => (draft.cursor = 0));
  }

  /** What follows a place, or the newest; only what is on the disk. */
  async tail(asked: TailOperation): Promise<Tailed> {
    const { incarnation, ttlMs } = this.known;
    const { place } = this.marks;
    return await readTail(this.segments, { origin: this.origin, place, incarnation, ttlMs }, asked);
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.queue.settled();
    await this.segments.close();
  }

  /** It may not be here any more: nothing of it stays. */
  async forget(): Promise<void> {
    this.closed = true;
    await this.queue.settled();
    await this.segments.remove();
  }

  private async job(run: (draft: Draft) => void): Promise<void> {
    if (this.closed) throw new Refusal('unavailable', 'this log is closed');
    await this.queue.do(run);
  }

  private draft(): Draft {
    return { ...this.marks, rule: this.known, folds: new Map(), lines: [], durable: false, expired: 0 };
  }

  /** What is remembered of each sensor after what the batch has done so far. */
  private foldsIn(draft: Draft): Map<string, Fold> {
    const folds = new Map(this.folds);
    for (const [sensor, fold] of draft.folds) {
      if (fold === undefined) folds.delete(sensor);
      else folds.set(sensor, fold);
    }
    return folds;
  }

  private apply(draft: Draft, values: readonly string[], at: number): number {
    const before = (sensor: string) =>
      draft.folds.has(sensor) ? draft.folds.get(sensor) : this.folds.get(sensor);
    const known = this.folds.size + draft.folds.size;
    const { kept, folds } = foldValues(draft.rule, values, { at, before, known });
    this.write(draft, kept, folds);
    return kept.length;
  }

  /** One line, so that what travels and what is remembered of it are on the disk both or not at all. */
  private write(
    draft: Draft,
    entries: readonly { at: number; value: string }[],
    folds: [string, Fold | null][],
  ): void {
    if (entries.length === 0 && folds.length === 0) return;
    const pairs = entries.map(({ at, value }): [number, string] => [at, value]);
    draft.lines.push(['o', draft.place, draft.written + 1, pairs, folds]);
    draft.place += entries.length;
    draft.written += entries.length;
    for (const [sensor, fold] of folds) draft.folds.set(sensor, fold ?? undefined);
    draft.durable = true;
  }

  private hear(draft: Draft, items: readonly LogItem[], upTo: number): void {
    const others = items.filter((item) => ('gap' in item ? item.gap.origin : item.origin) !== this.origin);
    const how = { fresh: draft.cursor === 0, most: mostWriters(draft.rule) };
    const { items: fresh, reached } = following(draft.reached, others, how);
    draft.reached = reached;
    draft.cursor = upTo;
    if (fresh.length === 0) return;
    draft.lines.push(['h', draft.place, upTo, fresh]);
    draft.place += fresh.length;
  }

  /** Whether room for what comes in could be made only of own entries that the hub has not got. */
  private isFull(draft: Draft, items: readonly LogItem[]): boolean {
    const { segments } = this;
    const unsent = (segments.writtenInFirst ?? draft.written) > this.marks.sent;
    return unsent && segments.bytes + JSON.stringify(items).length > this.known.bytes;
  }

  private async commit(draft: Draft): Promise<void> {
    const lines = [...draft.lines];
    if (marksOf(draft).join() !== marksOf(this.marks).join()) lines.push(marksOf(draft));
    try {
      await this.dropExpired(draft.expired);
      if (lines.length > 0) {
        await this.makeRoom(lines);
        await this.segments.append(lines, { durable: draft.durable });
      }
    } catch (error) {
      throw this.failed(error);
    }
    this.install(draft);
    // From now on its first line says what is so.
    if (draft.rule !== this.known) {
      this.known = draft.rule;
      await this.beginPart().catch((error: unknown) => this.failed(error));
    }
  }

  /** Begins another file when the last one is long enough, and lets the oldest go for what comes. */
  private async makeRoom(lines: readonly Line[]): Promise<void> {
    const { segments, known } = this;
    const more = lines.reduce((sum, line) => sum + JSON.stringify(line).length + ENTRY_BYTES, 0);
    const part = Math.min(PART_BYTES, known.bytes / PARTS);
    if (segments.begun && segments.lastBytes + more > part) await this.beginPart();
    while (segments.bytes + more > known.bytes && segments.writtenInFirst !== undefined)
      await segments.dropFirst();
  }

  private async dropExpired(before: number): Promise<void> {
    while (this.segments.firstIsBefore(before)) {
      if (this.segments.writtenInFirst !== undefined) await this.segments.dropFirst();
      else if (this.segments.begun) await this.beginPart();
      else return;
    }
  }

  private async beginPart(): Promise<void> {
    const { place, written, sent, cursor, streamEpoch, reached } = this.marks;
    const { known: rule, since } = this;
    const { store } = this.options;
    const folds = [...this.folds];
    const read = { sent, cursor, ...(streamEpoch > 0 ? { streamEpoch } : {}), reached };
    const head: Head = { kind: 'EntryLog', rule, store, since, ...read, folds };
    await this.segments.begin({ place, written, head });
  }

  private failed(error: unknown): Refusal {
    const { trouble, refusal } = notWritten(this.known, 'entries of', error);
    this.trouble = trouble;
    return refusal;
  }

  private install(draft: Draft): void {
    const { place, written, sent, cursor, streamEpoch, reached } = draft;
    const more = place > this.marks.place;
    this.marks = { place, written, sent, cursor, streamEpoch, reached };
    for (const [sensor, fold] of draft.folds) this.remember(sensor, fold);
    if (draft.durable) this.trouble = undefined;
    if (more) this.options.onMore();
  }

  private remember(sensor: string, fold: Fold | null | undefined): void {
    if (fold === undefined || fold === null) this.folds.delete(sensor);
    else this.folds.set(sensor, fold);
  }

  private restore(head: Head, lines: readonly Line[]): void {
    const { since, sent, cursor, streamEpoch = 0, reached, folds } = head;
    this.since = since;
    this.marks = { ...this.segments.beginning, sent, cursor, streamEpoch, reached };
    for (const [sensor, fold] of folds) this.remember(sensor, fold);
    for (const line of lines) this.restoreLine(line);
    // A number of its own that the hub has is not given again.
    this.marks.written = Math.max(this.marks.written, this.marks.sent);
    if (this.segments.damaged)
      this.trouble = `a file of ${this.known.project}/${this.known.name} was damaged: some entries are lost`;
  }

  private restoreLine(line: Line): void {
    const { marks } = this;
    switch (line[0]) {
      case 'o': {
        const [, place, first, entries, folds] = line;
        marks.place = place + entries.length;
        marks.written = first + entries.length - 1;
        for (const [sensor, fold] of folds) this.remember(sensor, fold);
        return;
      }
      case 'h': {
        const [, place, upTo, items] = line;
        marks.place = place + items.length;
        marks.cursor = upTo;
        marks.reached = following(marks.reached, items, {
          fresh: true,
          most: mostWriters(this.known),
        }).reached;
        return;
      }
      case 'm':
        [, marks.sent, marks.cursor, marks.streamEpoch = 0] = line;
    }
  }
}
