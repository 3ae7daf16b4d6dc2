import { randomBytes, randomInt } from 'node:crypto';
import { Conflict, type Bus, type StoredMessage } from '@skerry/bus';
import { JETSTREAM_API, LIMITS, parse, workloadKey, type DatasetRef } from '@skerry/contracts';
import type { StreamEpoch } from '@skerry/domain';
import type { JsonLog } from '@skerry/service';
import { z } from 'zod';

const READ_MS = 5_000;
/** What the server answers who asks for one message. */
const foundSchema = z.looseObject({
  error: z.looseObject({ code: z.number(), description: z.string().default('') }).optional(),
  message: z.looseObject({ seq: z.number(), data: z.string().default(''), time: z.string() }).optional(),
});
const NOT_FOUND = 404;
/** What lies at the subject of the epochs: its mark, where those before it began, the newest first, and the marks of those. */
const epochSchema = z.looseObject({
  by: z.string().optional(),
  mark: z.number().int().optional(),
  earlier: z.array(z.number().int()).default([]),
  marks: z.array(z.number().int()).default([]),
});
/** Of a stream in which none has begun. */
const NONE = { sequence: 0 };
/** Whole numbers that no stream comes to, so that marks differ from the sequences that stand for older epochs. */
const MARKS = { from: 2 ** 47, to: 2 ** 48 - 1 };
/** Epochs that are remembered. Who was away for more reads all again. */
const EPOCHS = 256;
/** Origins of which it is remembered that they wrote nothing; with more all of these are forgotten, and looked for again. */
const SILENT = 100_000;

/** What is written to a dataset. */
interface Written extends DatasetRef {
  origin: string;
}

/** What lies in a stream. */
export interface FencedKind<T extends Written, Head> {
  stream: string;
  /** Subject of the epochs: who writes there last is the one that may write. */
  epochs: string;
  schema: z.ZodType<T>;
  /** Subjects of a dataset, or of one origin in it. */
  filter: (ref: DatasetRef, origin?: string) => string;
  /** The number that an origin gave what it wrote. */
  numberOf: (value: T) => number;
  /** What is remembered of the newest message of a dataset; `newest` undefined: there is none of this incarnation. */
  headOf: (sequence: number, newest: T | undefined) => Head;
}

/** A message as it lies in the stream; `value` undefined: it is not what it should be. */
export interface Lying<T> {
  sequence: number;
  /** ms since 1970. */
  storedAt: number;
  value: T | undefined;
}

/** What lies after a sequence. */
export interface StreamPage<I> {
  items: I[];
  upTo: number;
  more: boolean;
}

/** Where a page begins and ends; `limit`: it ends with the message that reaches so many items. */
export interface PageRange {
  filter: string;
  after: number;
  /** Sequence of the newest message of `filter`. */
  head: number;
  limit?: number;
}

/**
 * A stream of what is written to datasets, written by the active instance alone: each write is conditional on the epoch that it
 * began with, so that a former one that stood still writes nothing any more, and what is remembered here of the stream is true.
 * After a break of the connection nothing is remembered: a hub that comes back may have lost its newest.
 */
export abstract class FencedStore<T extends Written, Head> {
  private epoch: number | undefined;
  /** This and those before it, the newest first. */
  private epochs: readonly StreamEpoch[] = [];
  /** Who began, empty when ended: an epoch of its own may lie there of which no answer came. */
  private by = '';
  private holdsLease: () => boolean = () => false;
  private breaks = 0;
  /** After how many breaks the epoch was begun. */
  private begunAfter = 0;
  private renewing: Promise<void> | undefined;
  private unlisten: () => void = () => undefined;
  /** By dataset. */
  private readonly heads = new Map<string, Head>();
  /** By dataset and origin, the newest number. */
  private readonly newest = new Map<string, number>();
  /** By dataset and origin: nothing lies there. Sites name them, so these are counted apart. */
  private readonly silent = new Set<string>();

  protected constructor(
    protected readonly bus: Bus,
    private readonly kind: FencedKind<T, Head>,
    private readonly log: JsonLog,
  ) {}

  /** How often the connection broke or came back: what was read before is not to be written by afterwards. */
  get turns(): number {
    return this.breaks;
  }

  /**
   * Becomes the one that writes. `holdsLease`: whether this instance may still; then it begins once more when one that was late to
   * begin has taken its place. Throws when another one begins at the same time, or when it is ended meanwhile.
   */
  async begin(holdsLease: () => boolean = () => false): Promise<void> {
    this.end();
    this.unlisten = this.bus.onConnection(() => this.turned());
    this.holdsLease = holdsLease;
    const by = randomBytes(8).toString('hex');
    this.by = by;
    const { epochs } = await this.writtenEpochs();
    await this.beginAfter(epochs, by);
  }

  /** The epochs of the stream, the newest first. Throws when this instance is not the active one. */
  async allEpochs(): Promise<readonly StreamEpoch[]> {
    if (this.epoch === undefined) throw new Error('not active');
    // The stream may have lost its newest: what is read from here on is told apart from what was read before.
    if (this.begunAfter !== this.breaks) {
      this.renewing ??= this.renew().finally(() => (this.renewing = undefined));
      await this.renewing;
    }
    return this.epochs;
  }

  /** The mark of the newest of them as far as it is known. */
  get newestEpoch(): number | undefined {
    return this.epoch === undefined ? undefined : this.epochs[0]?.mark;
  }

  /** Whether this instance may write now, as far as can be known here: it has begun, holds the lease, and the stream is as it was. */
  get mayWrite(): boolean {
    return this.epoch !== undefined && this.begunAfter === this.breaks && this.holdsLease();
  }

  end(): void {
    this.unlisten();
    this.epoch = undefined;
    this.by = '';
    this.forget();
  }

  /** Writes under the epoch's condition. Throws when this instance is not the active one. */
  protected async write<R>(
    publish: (expect: { sequence: number; subject: string }) => Promise<R>,
  ): Promise<R> {
    const [{ sequence } = NONE] = await this.allEpochs();
    try {
      return await publish({ sequence, subject: this.kind.epochs });
    } catch (error) {
      // Whether it was stored is not known: look again.
      this.forget();
      // It may be lost, or another instance has begun.
      if (error instanceof Conflict) this.begunAfter = -1;
      throw error;
    }
  }

  /** This was written, as the newest of its dataset. */
  protected wrote(ref: DatasetRef, head: Head, { origin, number }: { origin: string; number: number }): void {
    this.heads.set(keyOf(ref), head);
    this.remember(`${keyOf(ref)} ${origin}`, number);
  }

  /** The newest message of a dataset. */
  async head(ref: DatasetRef): Promise<Head> {
    const known = this.heads.get(keyOf(ref));
    if (known !== undefined) return known;
    const { breaks } = this;
    const last = await this.last(this.kind.filter(ref));
    const head = this.kind.headOf(last?.sequence ?? 0, ofThis(ref, last));
    const isCurrent = this.epoch !== undefined && breaks === this.breaks;
    // What was read may be older than what was written meanwhile.
    if (isCurrent && !this.heads.has(keyOf(ref))) this.heads.set(keyOf(ref), head);
    return head;
  }

  /** The newest number of an origin in a dataset; 0 when there is none. */
  async newestOf(ref: DatasetRef, origin: string): Promise<number> {
    const place = `${keyOf(ref)} ${origin}`;
    const known = this.newest.get(place) ?? (this.silent.has(place) ? 0 : undefined);
    if (known !== undefined) return known;
    const { breaks } = this;
    const newest = ofThis(ref, await this.last(this.kind.filter(ref, origin)));
    const number = newest === undefined ? 0 : this.kind.numberOf(newest);
    if (this.epoch !== undefined && breaks === this.breaks) this.remember(place, number);
    return number;
  }

  private remember(place: string, number: number): void {
    if (number > 0) this.newest.set(place, Math.max(number, this.newest.get(place) ?? 0));
    else if (this.silent.size < SILENT) this.silent.add(place);
    else this.silent.clear();
  }

  /** What lies after a sequence, as much as goes into a message (limit `recordsBytes`). */
  protected async pageOf<I>(
    ref: DatasetRef,
    { filter, after, head, limit = Number.POSITIVE_INFINITY }: PageRange,
    itemsOf: (value: T) => I[],
  ): Promise<StreamPage<I>> {
    const page: StreamPage<I> = { items: [], upTo: Math.max(head, after), more: false };
    if (head <= after) return page;
    page.upTo = after;
    let bytes = 0;
    let full: () => void = () => undefined;
    const filled = new Promise<void>((resolve) => (full = resolve));
    const take = (m: StoredMessage) => {
      bytes += m.data.length;
      const isFull = bytes > LIMITS.recordsBytes || page.items.length >= limit;
      if (page.more || (page.items.length > 0 && isFull)) {
        page.more = true;
        return full();
      }
      page.upTo = m.sequence;
      const value = this.read(m.json(), m.sequence);
      if (value?.incarnation === ref.incarnation) page.items.push(...itemsOf(value));
    };
    const following = await this.bus.follow(this.kind.stream, take, { from: after + 1, filters: [filter] });
    try {
      await Promise.race([filled, following.reached(head, READ_MS)]);
    } finally {
      await following.drain();
    }
    if (!page.more) page.upTo = Math.max(page.upTo, head);
    return page;
  }

  /**
   * Deletes what lies there of a dataset's earlier incarnations, of one that is removed of this one too. No epoch fences a purge: an
   * instance that stood still while the dataset was made again must not delete what was written to it since, so nothing is deleted
   * behind what was looked at.
   */
  async drop(ref: DatasetRef & { removed: boolean }): Promise<void> {
    const filter = this.kind.filter(ref);
    const last = await this.last(filter);
    const newest = last?.value?.incarnation ?? Infinity;
    const isOver = ref.removed ? newest <= ref.incarnation : newest < ref.incarnation;
    if (last !== undefined && isOver) await this.bus.purge(this.kind.stream, filter, last.sequence);
    for (const known of [this.heads, this.newest, this.silent])
      for (const key of known.keys())
        if (key.startsWith(`${workloadKey(ref.project, ref.name)} `)) known.delete(key);
  }

  /** The newest message below a subject. */
  protected async last(filter: string): Promise<Lying<T> | undefined> {
    return await this.get({ last_by_subj: filter });
  }

  /** One message, as the stream's leader has it. */
  protected async get(which: object): Promise<Lying<T> | undefined> {
    const found = await this.message(which);
    return found && { ...found, value: this.read(found.value, found.sequence) };
  }

  private async message(which: object): Promise<Lying<unknown> | undefined> {
    const { stream } = this.kind;
    const answer = await this.bus.request(JETSTREAM_API.messageGet(stream), which);
    const { error, message } = foundSchema.parse(answer.json());
    if (error?.code === NOT_FOUND) return undefined;
    if (error !== undefined || message === undefined)
      throw new Error(`read ${stream}: ${error?.description ?? 'no message'}`);
    const json: unknown = JSON.parse(Buffer.from(message.data, 'base64').toString('utf8'));
    return { sequence: message.seq, storedAt: Date.parse(message.time), value: json };
  }

  private read(value: unknown, sequence: number): T | undefined {
    const parsed = parse(this.kind.schema, value);
    if (parsed.ok) return parsed.value;
    this.log.error(`what lies in ${this.kind.stream} at ${sequence} is not what should be there`);
    return undefined;
  }

  /** Begins once more, unless another one has begun since that may. */
  private async renew(): Promise<void> {
    const { epoch = 0, by: mine } = this;
    const { epochs: before, by } = await this.writtenEpochs();
    const [{ sequence: last } = NONE] = before;
    const isOthers = last >= epoch && by !== mine;
    if (isOthers && !this.holdsLease()) throw new Error('not active: another instance has begun');
    if (last < epoch) this.log.warn(`${this.kind.stream} has lost its newest: read again from there`);
    await this.beginAfter(before, mine);
    if (!isOthers) return;
    // What was read here before is not what lies there: the other one may have written.
    this.turned();
    throw new Error(`${this.kind.stream}: an instance without the lease had begun; begun again`);
  }

  /** Only when the newest of `earlier` is so still, and `by` was not ended: who comes late takes the place of nobody. */
  private async beginAfter(earlier: readonly StreamEpoch[], by: string): Promise<void> {
    const { epochs: subject } = this.kind;
    const { breaks } = this;
    const [{ sequence } = NONE] = earlier;
    if (this.by !== by) throw new Error('not active: ended meanwhile');
    const mark = randomInt(MARKS.from, MARKS.to);
    const at = new Date().toISOString();
    const marks = earlier.map((one) => one.mark);
    const body = { at, by, mark, earlier: earlier.map((one) => one.sequence), marks };
    const ack = await this.bus.publish(subject, body, { expect: { sequence, subject } });
    if (this.by !== by) throw new Error('not active: ended meanwhile');
    this.epoch = ack.sequence;
    this.epochs = [{ sequence: ack.sequence, mark }, ...earlier];
    this.begunAfter = breaks;
  }

  private async writtenEpochs(): Promise<{ epochs: readonly StreamEpoch[]; by?: string | undefined }> {
    const last = await this.message({ last_by_subj: this.kind.epochs });
    if (last === undefined) return { epochs: [] };
    const { sequence } = last;
    const { by, mark = sequence, earlier, marks } = epochSchema.parse(last.value);
    const before = earlier.map((one, at) => ({ sequence: one, mark: marks[at] ?? one }));
    return { epochs: [{ sequence, mark }, ...before].slice(0, EPOCHS), by };
  }

  private turned(): void {
    this.breaks += 1;
    this.forget();
  }

  private forget(): void {
    this.heads.clear();
    this.newest.clear();
    this.silent.clear();
  }
}

function ofThis<T extends Written>(ref: DatasetRef, lying: Lying<T> | undefined): T | undefined {
  return lying?.value?.incarnation === ref.incarnation ? lying.value : undefined;
}

function keyOf({ project, name, incarnation }: DatasetRef): string {
  return `${workloadKey(project, name)} ${incarnation}`;
}
