import type { Bus } from '@skerry/bus';
import {
  desiredSchema,
  digestAnswerSchema,
  formatVersion,
  isWorkloadObject,
  laterKind,
  LIMITS,
  parseAcross,
  workloadKey,
  type Desired,
  type DigestAnswer,
  type DigestRequest,
} from '@skerry/contracts';
import { reason, type Log } from '../log.js';
import type { DesiredStore } from './desired-store.js';
import { hubObjectOf } from './held-object.js';

/** Without an occasion versions are compared this often: a deaf source reports no lag. */
const EVERY_MS = 5 * 60_000;
/** Short: whoever is to answer may just have lost the lease, and asking again costs little. */
const ANSWER_MS = 2_000;
/** While the hub does not answer. */
const RETRY_MS = 1_000;
/** Rounds of one exchange; each brings as many objects as fit in a message. */
const MAX_ROUNDS = 1_000;

export interface DigestOptions {
  site: string;
  /** Whom to ask: the hub, or by a subject of the site's own its controller. */
  subject: string;
  store: DesiredStore;
  lastSequence: () => number;
  take: (object: Desired, traceparent: string | undefined) => Promise<void>;
  /** Hears of workloads (`<project>.<name>`) that are held here and that the hub does not know, after each exchange. */
  onUnknown?: (keys: readonly string[]) => void;
  log: Log;
}

/** Compares what this site holds with what is wanted of it, by version, and takes what differs. */
export class DigestExchange {
  private running: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private again = false;
  private closed = false;
  /** What the hub did not know at the last exchange, with the version held then. */
  private unknown = new Map<string, string>();

  constructor(
    private readonly bus: Bus,
    private readonly options: DigestOptions,
  ) {}

  /** Exchanges now, and tries until the hub answers; then every five minutes. Asked while it runs: once more after it. */
  request(): void {
    if (this.closed) return;
    if (this.running) {
      this.again = true;
      return;
    }
    clearTimeout(this.timer);
    this.running = this.attempt().then((ok) => {
      this.running = undefined;
      const soon = this.again || !ok;
      this.again = false;
      this.later(soon ? (ok ? 0 : RETRY_MS) : EVERY_MS);
    });
  }

  /**
   * What runs here and the hub did not know when it was asked last, for people: it was begun after the backup that the hub was
   * restored from.
   */
  get trouble(): string | undefined {
    const [first, ...rest] = [...this.unknown].flatMap(([key, version]) =>
      this.heldVersion(key) === version ? [key] : [],
    );
    if (first === undefined) return undefined;
    const which = `${first.replace('.', '/')}${rest.length === 0 ? '' : ` and ${rest.length} more`}`;
    return `the hub does not know ${which}, which goes on here and is proposed to it`;
  }

  /** Of an assignment of the hub's; what is applied again there comes with another. */
  private heldVersion(key: string): string | undefined {
    const held = this.options.store.get(key);
    const object = held && hubObjectOf(held);
    return object?.kind === 'Assignment' ? formatVersion(object.version) : undefined;
  }

  /** One exchange; throws when the hub does not answer. */
  async exchange(): Promise<{ repaired: number }> {
    let repaired = 0;
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const answer = await this.round();
      for (const item of answer.objects) repaired += (await this.apply(item, answer.traces ?? {})) ? 1 : 0;
      if (answer.unknown.length > 0) {
        this.options.log.warn('the hub does not know what is held here: it stays', {
          count: answer.unknown.length,
          some: answer.unknown.slice(0, 10),
        });
      }
      this.unknown = new Map(answer.unknown.map((key) => [key, this.heldVersion(key) ?? '']));
      if (!answer.more) break;
    }
    if (this.unknown.size > 0) this.options.onUnknown?.([...this.unknown.keys()]);
    if (repaired > 0) this.options.log.info('repaired by digest', { objects: repaired });
    return { repaired };
  }

  /** Asks no more until it is told to again. */
  pause(): void {
    clearTimeout(this.timer);
    this.again = false;
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
  }

  private later(afterMs: number): void {
    if (this.closed) return;
    this.timer = setTimeout(() => this.request(), afterMs).unref();
  }

  private async attempt(): Promise<boolean> {
    try {
      await this.exchange();
      return true;
    } catch (error) {
      this.options.log.debug('the hub does not answer a digest', { reason: reason(error) });
      return false;
    }
  }

  /** Sends all pages; what differs comes with the answer to the last. */
  private async round(): Promise<DigestAnswer> {
    const pages = this.pages();
    let last: DigestAnswer = { objects: [], unknown: [], more: false };
    for (const page of pages) {
      const answer = await this.bus.request(this.options.subject, page, { timeoutMs: ANSWER_MS });
      const parsed = parseAcross(digestAnswerSchema, answer.json());
      if (!parsed.ok) throw new Error('an answer to a digest that is none');
      last = parsed.value;
    }
    return last;
  }

  private pages(): DigestRequest[] {
    const items = this.options.store.entries().flatMap(([, held]) => {
      const object = hubObjectOf(held);
      if (object === undefined || !isWorkloadObject(object)) return [];
      return [{ project: object.project, name: object.name, version: object.version }];
    });
    const access = this.options.store.access?.generation;
    const size = LIMITS.digestItemsPerPage;
    const count = Math.max(1, Math.ceil(items.length / size));
    return Array.from({ length: count }, (_, page) => ({
      site: this.options.site,
      page,
      last: page === count - 1,
      items: items.slice(page * size, (page + 1) * size),
      lastSequence: this.options.lastSequence(),
      ...(access === undefined ? {} : { access }),
    }));
  }

  private async apply(item: unknown, traces: Readonly<Record<string, string>>): Promise<boolean> {
    const parsed = parseAcross(desiredSchema, item);
    // One of a later version is passed over: the next agent asks again.
    if (!parsed.ok && laterKind(item) !== undefined) return false;
    if (!parsed.ok) {
      this.options.log.error('an object in a digest cannot be read', {
        alarm: 'desired-malformed',
        reason: `${parsed.issues[0]?.path}: ${parsed.issues[0]?.problem}`,
      });
      return false;
    }
    const object = parsed.value;
    const key = isWorkloadObject(object) ? workloadKey(object.project, object.name) : undefined;
    await this.options.take(object, key === undefined ? undefined : traces[key]);
    return true;
  }
}
