import { Inject, Injectable } from '@nestjs/common';
import type { Bus } from '@skerry/bus';
import {
  entriesRequestSchema,
  HUB,
  LIMITS,
  parse,
  Refusal,
  workloadKey,
  type Dataset,
  type EntriesAnswer,
  type EntriesRequest,
  type EntryDelivery,
  type LogNews,
  type Site,
  type StoredEntries,
} from '@skerry/contracts';
import { itemsOf, judgeEntries } from '@skerry/domain';
import { BUS, JsonLog, type PlainMessage } from '@skerry/service';
import { EntriesStore, type Batch } from '../stores/entries.store.js';
import { logOf, LogsStore } from '../stores/logs.store.js';
import { WantedStore } from '../stores/wanted.store.js';
import { CentreNumbers } from './centre-numbers.js';
import { Lanes } from './lanes.js';
import { later, refused } from './not-taken.js';
import { SiteQuotas } from './site-quotas.js';
import { SaidAgain } from './said-again.js';
import { Waiters } from './waiters.js';

/** Entries of one site: a backlog at once, then so many a second. */
const ENTRIES = { perSecond: 5_000, burst: 50_000 };
const RETRY_MS = 250;
/** Has a site say which logs it holds. */
const ASK: LogNews = { logs: [], gone: [] };

/**
 * Takes in what is written to logs, at sites and at the centre: stored once, in its order, under the name of who wrote it, and given
 * on at once to every site that is to have it. Batches of one log come one after the other, so a backlog of one site lets those of
 * others in between any two of its own.
 */
@Injectable()
export class TakeEntries {
  private active = false;
  private readonly lanes = new Lanes();
  private readonly numbers = new CentreNumbers();
  private readonly quotas = new SiteQuotas(ENTRIES);
  private readonly again = new SaidAgain();
  readonly waiters = new Waiters();
  private stored: (dataset: Dataset) => void = () => undefined;

  constructor(
    private readonly wanted: WantedStore,
    private readonly logs: LogsStore,
    private readonly entries: EntriesStore,
    @Inject(BUS) private readonly bus: Bus,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  start(): void {
    this.active = true;
  }

  /** Called with each log that something was stored of. */
  onStored(listener: (dataset: Dataset) => void): void {
    this.stored = listener;
  }

  async stop(): Promise<void> {
    this.active = false;
    this.again.clear();
    this.waiters.end();
    await this.lanes.settled();
  }

  async handle(message: PlainMessage): Promise<void> {
    const site = this.wanted.ofAccount(message.subject.split('.')[1]);
    if (!this.active || message.reply === undefined || site === undefined) return;
    const parsed = parse(entriesRequestSchema, message.json());
    if (!parsed.ok) {
      const [issue] = parsed.issues;
      return message.reply(refused(`no entries: ${issue?.path}: ${issue?.problem}`));
    }
    message.reply(await this.fromSite(site, parsed.value));
  }

  /** Stores what people write at the centre; again with the same id it is stored once. Throws a `Refusal`. */
  async fromCentre(dataset: Dataset, values: readonly string[], id: string): Promise<void> {
    const large = values.find((value) => Buffer.byteLength(value) > dataset.spec.limits.valueBytes);
    if (large !== undefined)
      throw new Refusal('too-large', `an entry of ${Buffer.byteLength(large)} bytes`, {
        hint: `entries of this log have at most ${dataset.spec.limits.valueBytes} bytes (limits.valueBytes)`,
      });
    await this.inTurn(dataset, async () => {
      const newestOf = async (of: string) => await this.entries.newestOf(dataset, of);
      const { origin, from } = await this.numbers.next(dataset, newestOf);
      const at = Date.now();
      const entries = values.map((value, n) => ({ number: from + n, at, value }));
      const upTo = from + values.length - 1;
      const isNew = await this.store(dataset, { origin, from, upTo, entries }, id);
      this.numbers.stored(dataset, origin, isNew ? upTo : from - 1);
    });
  }

  /** Runs one thing after the other for each log. */
  async inTurn<T>(dataset: Pick<Dataset, 'project' | 'name'>, run: () => Promise<T>): Promise<T> {
    return await this.lanes.run(workloadKey(dataset.project, dataset.name), run);
  }

  private async fromSite(site: Site, request: EntriesRequest): Promise<EntriesAnswer> {
    if (!this.quotas.take(site.name, request.entries.length))
      return later(1_000, 'too many entries of this site');
    const dataset = this.logs.allowed(site, request, 'write');
    if (dataset === undefined) {
      this.log.warn(
        `site ${site.name} wrote to log ${request.project}/${request.name}, which it does not have`,
      );
      // Not for good: the site learns what is so when it asks for its logs.
      return later(1_000, 'this site does not have this log');
    }
    if (logOf(dataset).flow === 'broadcast') {
      const why = 'this log goes from the centre to the sites';
      this.logs.refused(site, dataset, { what: 'write', why });
      return refused(why);
    }
    if (!this.logs.mayTake(dataset, `${site.name}.${request.store}`)) {
      this.bus.say(HUB.logNews(site.account), ASK);
      return later(RETRY_MS, 'it may be of a later generation there');
    }
    try {
      return await this.inTurn(dataset, async () => await this.judged(dataset, site, request));
    } catch (error) {
      this.log.warn(
        `entries of ${dataset.project}/${dataset.name} from site ${site.name} were not stored`,
        error,
      );
      return later(RETRY_MS, 'the hub could not store them');
    }
  }

  private async judged(dataset: Dataset, site: Site, request: EntriesRequest): Promise<EntriesAnswer> {
    const origin = `${site.name}.${request.store}`;
    const stored = await this.entries.newestOf(dataset, origin);
    const { limits, encryption } = dataset.spec;
    const rule = { valueBytes: limits.valueBytes, encrypted: encryption !== undefined };
    const judgement = judgeEntries(request, { stored, ...rule });
    switch (judgement.verdict) {
      case 'take': {
        const { from, upTo, entries } = judgement;
        // A site that has the key may be none that may read what is written now.
        if (entries.some(({ sealed }) => sealed !== undefined && !this.logs.maySeal(dataset, sealed.key)))
          return later(RETRY_MS, 'nothing more is sealed with this key');
        await this.store(dataset, { origin, from, upTo, entries });
        return { ok: true, stored: upTo };
      }
      case 'known':
        return { ok: true, stored };
      case 'behind':
        return {
          ok: false,
          code: 'behind',
          retryAfterMs: 0,
          reason: `the hub has them up to ${stored}`,
          stored,
        };
      case 'refuse':
        this.logs.refused(site, dataset, { what: 'write', why: judgement.reason });
        this.log.error(`alarm: site ${site.name} wrote entries that are none: ${judgement.reason}`);
        return refused(judgement.reason);
    }
  }

  /** False when what has this id was stored before. */
  private async store(dataset: Dataset, batch: Batch, id?: string): Promise<boolean> {
    const { after, upTo, duplicate } = await this.entries.append(dataset, batch, id);
    if (duplicate) return false;
    const { project, name, incarnation } = dataset;
    const stored: StoredEntries = { kind: 'Entries', project, name, incarnation, ...batch, totalBytes: 0 };
    this.deliver(dataset, { after, upTo, items: itemsOf(stored) });
    const key = workloadKey(project, name);
    this.again.later(key, () => this.deliver(dataset, { after: upTo, upTo, items: [] }));
    this.waiters.wake(key);
    this.stored(dataset);
    return true;
  }

  private deliver(dataset: Dataset, news: Pick<EntryDelivery, 'after' | 'upTo' | 'items'>): void {
    const current = this.logs.current(dataset);
    if (current === undefined || news.items.length > LIMITS.logItemsPerPage) return;
    const { project, name, incarnation } = current;
    const { newestEpoch: streamEpoch } = this.entries;
    // Sites of one area get the same; without areas, all do.
    const bodies = new Map<string | undefined, Buffer>();
    for (const site of this.logs.sitesOf(current)) {
      const area = this.logs.areaOf(current, site);
      const given = () => ({ ...news, items: this.logs.givenTo(current, site, news.items) });
      const body = bodies.get(area) ?? bodyOf({ project, name, incarnation, streamEpoch, ...given() });
      bodies.set(area, body);
      this.bus.say(HUB.entryDelivery(site.account), body);
    }
  }
}

const bodyOf = (delivery: EntryDelivery) => Buffer.from(JSON.stringify(delivery));
