import { Inject, Injectable } from '@nestjs/common';
import type { Bus } from '@skerry/bus';
import {
  HUB,
  LIMITS,
  parseAcross,
  recordsRequestSchema,
  workloadKey,
  type CopyNews,
  type Dataset,
  type Delivery,
  type OwnRecord,
  type RecordsAnswer,
  type RecordsRequest,
  type Site,
} from '@skerry/contracts';
import { judgeRecord } from '@skerry/domain';
import { BUS, JsonLog, type PlainMessage } from '@skerry/service';
import { CopiesStore, copyOf } from '../stores/copies.store.js';
import { RecordsStore } from '../stores/records.store.js';
import { WantedStore } from '../stores/wanted.store.js';
import { Lanes } from './lanes.js';
import { later, refused } from './not-taken.js';
import { otherSites } from './other-sites.js';
import { SiteQuotas } from './site-quotas.js';
import { SaidAgain } from './said-again.js';

/** Records of one site: a backlog at once, then so many a second. */
const RECORDS = { perSecond: 5_000, burst: 50_000 };
const RETRY_MS = 250;
/** Has a site say which copies it holds. */
const ASK: CopyNews = { copies: [], gone: [] };
/** What is given to other sites while it is stored: what somebody waits for, not what there is much of. */
const EARLY = { records: 4, bytes: 4 * 1024, sites: 64 };

/**
 * Takes in what sites write to datasets: judged, stored under the site's own name, and given on at once to every site with a copy.
 * Who writes is the account that the server put into the subject; what it says of itself counts for nothing.
 */
@Injectable()
export class TakeRecords {
  private active = false;
  /** The most that is asked of a stream at once is one batch for each dataset. */
  private readonly lanes = new Lanes();
  private readonly quotas = new SiteQuotas(RECORDS);
  private readonly again = new SaidAgain();
  /** Datasets of which the last records were not stored. */
  private readonly failing = new Set<string>();

  constructor(
    readonly wanted: WantedStore,
    readonly copies: CopiesStore,
    readonly records: RecordsStore,
    @Inject(BUS) private readonly bus: Bus,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  start(): void {
    this.active = true;
  }

  async stop(): Promise<void> {
    this.active = false;
    this.again.clear();
    this.failing.clear();
    await this.lanes.settled();
  }

  async handle(message: PlainMessage): Promise<void> {
    const site = this.wanted.ofAccount(message.subject.split('.')[1]);
    if (!this.active || message.reply === undefined || site === undefined) return;
    const parsed = parseAcross(recordsRequestSchema, message.json());
    if (!parsed.ok) {
      const [issue] = parsed.issues;
      return message.reply(refused(`no records: ${issue?.path}: ${issue?.problem}`));
    }
    message.reply(await this.inTurn(site, parsed.value));
  }

  /** Does something while no record of this dataset is being stored. */
  async alone(ref: { project: string; name: string }, work: () => Promise<void>): Promise<void> {
    await this.lanes.run(workloadKey(ref.project, ref.name), work);
  }

  /** Batches of one dataset one after the other: each delivery says what it follows. */
  private async inTurn(site: Site, request: RecordsRequest): Promise<RecordsAnswer> {
    const key = workloadKey(request.project, request.name);
    try {
      return await this.lanes.run(key, async () => await this.store(site, request));
    } catch (error) {
      this.log.warn(
        `records of ${request.project}/${request.name} from site ${site.name} were not stored`,
        error,
      );
      return later(RETRY_MS, 'the hub could not store them');
    }
  }

  private async store(site: Site, request: RecordsRequest): Promise<RecordsAnswer> {
    if (!this.quotas.take(site.name, request.records.length))
      return later(1_000, 'too many records of this site');
    const dataset = this.copies.allowed(site, request, 'write');
    if (dataset === undefined) {
      this.log.warn(`site ${site.name} wrote to ${request.project}/${request.name}, of which it has no copy`);
      // Not for good: the site learns what is so when it asks for its copies.
      return later(1_000, 'this site has no copy of it');
    }
    const origin = `${site.name}.${request.store}`;
    if (!this.copies.mayTake(dataset, origin)) {
      this.bus.say(HUB.copyNews(site.account), ASK);
      return later(RETRY_MS, 'it may be of a later generation there');
    }
    const { turns } = this.records;
    const done = await this.records.newestOf(dataset, origin);
    // With these the hub would never ask for what it has lost.
    if (request.after !== undefined && request.after > done)
      return { ...later(RETRY_MS, 'the hub has lost writes before these'), stored: done };
    const fresh = request.records.filter(({ write }) => write > done);
    const { taken, answer } = await this.judged(dataset, { site, origin }, fresh);
    // Looks at every site: not for what was given to nobody.
    const others = request.given === undefined ? undefined : otherSites(this, dataset, site);
    const isGiven = others !== undefined && request.given === others.mark;
    if (taken.length > 0) await this.giveOn(dataset, origin, { taken, turns, isGiven });
    return answer.ok && request.given !== undefined && !isGiven
      ? { ok: true, others: others ?? null }
      : answer;
  }

  /** Up to the first that cannot be taken now. */
  private async judged(
    dataset: Dataset,
    { site, origin }: { site: Site; origin: string },
    records: readonly OwnRecord[],
  ): Promise<{ taken: OwnRecord[]; answer: RecordsAnswer }> {
    const holder = this.copies.homes.holderOf(dataset);
    const copy = { ...copyOf(dataset), ...(holder && { holder }) };
    const known = await this.knownWrites(dataset, records);
    const taken: OwnRecord[] = [];
    for (const record of records) {
      const by = { origin, site: site.name, nowMs: Date.now(), known: (o: string) => known.get(o) ?? 0 };
      const judgement = this.copies.judgeArea(dataset, site, record) ?? judgeRecord(record, by, copy);
      switch (judgement.verdict) {
        case 'take':
          // A site that has the key may be none that may read what is written now.
          if (record.sealed !== undefined && !this.copies.maySeal(dataset, record.sealed.key))
            return { taken, answer: later(RETRY_MS, 'nothing more is sealed with this key') };
          taken.push(record);
          continue;
        case 'wait':
          return { taken, answer: later(RETRY_MS, judgement.reason) };
        case 'ahead':
          return { taken, answer: ahead(judgement.aheadMs) };
        case 'refuse':
          this.copies.refused(site, dataset, { what: 'write', why: judgement.reason });
          this.log.error(`alarm: site ${site.name} wrote a record that is none: ${judgement.reason}`);
          return { taken, answer: refused(judgement.reason) };
      }
    }
    return { taken, answer: { ok: true } };
  }

  /** Of every store that the records speak of, its newest write. */
  private async knownWrites(dataset: Dataset, records: readonly OwnRecord[]): Promise<Map<string, number>> {
    const named = records.flatMap(({ state }) => ('seen' in state ? Object.keys(state.seen) : []));
    const origins = [...new Set(named)].slice(0, LIMITS.storesPerKey);
    const writes = await Promise.all(
      origins.map(async (o) => [o, await this.newestKnown(dataset, o)] as const),
    );
    return new Map(writes);
  }

  /** Of a site that writes nothing any more the hub may have lost something that others have seen: what they say of it is so. */
  private async newestKnown(dataset: Dataset, origin: string): Promise<number> {
    const [site = ''] = origin.split('.');
    if (!this.wanted.mayReceive(site)) return Number.POSITIVE_INFINITY;
    return await this.records.newestOf(dataset, origin);
  }

  private async giveOn(
    dataset: Dataset,
    origin: string,
    { taken: records, turns, isGiven }: { taken: readonly OwnRecord[]; turns: number; isGiven: boolean },
  ): Promise<void> {
    const after = await this.records.head(dataset);
    if (turns !== this.records.turns) throw new Error('the hub was away meanwhile');
    const given = records.map((record) => ({ origin, ...record }));
    const key = workloadKey(dataset.project, dataset.name);
    // What the hub cannot store for a while is not to be said again and again.
    if (!isGiven && !this.failing.has(key)) this.deliverEarly(dataset, origin, { after, records: given });
    const upTo = await this.records.append(dataset, origin, records).catch((error: unknown) => {
      this.failing.add(key);
      throw error;
    });
    this.failing.delete(key);
    this.deliver(dataset, this.sitesFrom(dataset, origin), { after, upTo, records: given });
    this.again.later(key, () => {
      this.deliver(dataset, this.sitesFrom(dataset, origin), { after: upTo, upTo, records: [] });
    });
  }

  /**
   * Gives a few small records to other sites before the hub has stored them. Their own site has them on its disk and offers them until
   * they are stored, so nobody reads what will not be. They move no cursor: what is not stored now leaves no gap, and when it is, it comes
   * with its place. Only by who holds the lease now; not of a home that moves, whose term may be over, and not of files, whose chunks
   * are given for what is stored.
   */
  private deliverEarly(
    dataset: Dataset,
    origin: string,
    { after, records }: Pick<Delivery, 'after' | 'records'>,
  ): void {
    const { type, residency } = dataset.spec;
    if (type !== 'keyvalue' || records.length > EARLY.records || !this.records.mayWrite) return;
    if (this.copies.homes.holderOf(dataset) !== undefined || (residency?.origin ?? false) !== false) return;
    const others = this.sitesFrom(dataset, origin).filter((site) => !origin.startsWith(`${site.name}.`));
    if (others.length > EARLY.sites || Buffer.byteLength(JSON.stringify(records)) > EARLY.bytes) return;
    this.deliver(dataset, others, { after, upTo: after, records });
  }

  /** Every site with a copy, that of the writer last: it has what it wrote. */
  private sitesFrom(dataset: Dataset, origin: string): Site[] {
    const current = this.copies.current(dataset);
    if (current === undefined) return [];
    const sites = this.copies.sitesOf(current);
    const isWriter = (site: Site) => origin.startsWith(`${site.name}.`);
    return [...sites.filter((site) => !isWriter(site)), ...sites.filter(isWriter)];
  }

  private deliver(
    dataset: Dataset,
    sites: readonly Site[],
    news: Pick<Delivery, 'after' | 'upTo' | 'records'>,
  ): void {
    const current = this.copies.current(dataset);
    if (current === undefined) return;
    const { project, name, incarnation } = current;
    const { newestEpoch: streamEpoch } = this.records;
    // Sites of one area get the same; without areas, all do.
    const bodies = new Map<string | undefined, Buffer>();
    for (const site of sites) {
      const area = this.copies.areaOf(current, site);
      const given = () => this.copies.givenTo(current, site, news.records);
      const body =
        bodies.get(area) ?? bodyOf({ project, name, incarnation, streamEpoch, ...news, ...given() });
      bodies.set(area, body);
      this.bus.say(HUB.recordDelivery(site.account), body);
    }
  }
}

const bodyOf = (delivery: Delivery) => Buffer.from(JSON.stringify(delivery));

function ahead(aheadMs: number): RecordsAnswer {
  const reason = `the clock of the site is ${Math.ceil(aheadMs / 1_000)} s further ahead than is tolerated`;
  return { ok: false, code: 'ahead', retryAfterMs: Math.min(aheadMs, 5_000), reason };
}
