import type { Bus } from '@skerry/bus';
import {
  LIMITS,
  SITE,
  type Copy as CopyRule,
  type DatasetRecord,
  type Given,
  type OtherSites,
  type OwnRecord,
} from '@skerry/contracts';
import { fullBucket, judgeRecord, take, type Bucketful, type Quota } from '@skerry/domain';

/** The hub says at least every five minutes who the other sites are; what it has not said for longer is not gone by. */
const KNOWN_MS = 6 * 60_000;
/** Sites that gave something and are not known to have a copy. */
const STRANGERS = 64;
/** Messages to others: a burst at once, then so many a second. What is more goes by the hub, once for all sites. */
const MESSAGES = { perSecond: 500, burst: 1_000 };
/** Records of one site: a burst at once, then so many a second. What is more comes by the hub. */
const RECORDS = { perSecond: 1_000, burst: 5_000 };

/** What became of what a site gave: records to show, that the hub has to be asked who has a copy, that it may not, or nothing. */
export type Taking = { records: DatasetRecord[] } | { ask: true } | { refused: string } | undefined;

/**
 * Gives a few records of a copy to the other sites with one by the hub's server alone, while the hub's replicator stores them, and takes
 * what they give. To whom is what the hub said last. What is given so is shown early and never kept: see `EarlyWrites`.
 */
export class Giving {
  private others: OtherSites | undefined;
  private knownUntil = Number.NEGATIVE_INFINITY;
  /** Accounts that were not named when they gave something, and when the hub was asked about each. */
  private readonly strangers = new Map<string, number>();
  private heardAt = Number.NEGATIVE_INFINITY;
  private readonly left = new Map<string, Bucketful>();

  constructor(private readonly bus: Bus) {}

  /** The hub has said to whom; undefined: to nobody. */
  heard(others: OtherSites | undefined): void {
    this.others = others;
    this.heardAt = performance.now();
    this.knownUntil = this.heardAt + KNOWN_MS;
  }

  /** Gives them to the others; the mark of those, when there are any. */
  give(
    { project, name, incarnation }: CopyRule,
    store: string,
    records: readonly OwnRecord[],
  ): string | undefined {
    const { known } = this;
    if (known === undefined || records.length > LIMITS.givenRecords) return undefined;
    const bytes = Buffer.from(JSON.stringify({ project, name, incarnation, store, records }));
    if (bytes.length > LIMITS.givenBytes || !this.hasLeft('here', MESSAGES, known.sites.length))
      return undefined;
    for (const { account } of known.sites) this.bus.say(SITE.give(known.mark, account), bytes);
    return known.mark;
  }

  /** Looks at what the site with an account gave, as the hub would: nothing is shown that it would refuse. */
  taken(rule: CopyRule, account: string, { store, records }: Given): Taking {
    const from = this.known?.sites.find((other) => other.account === account);
    if (from === undefined) return this.stranger(account);
    this.strangers.delete(account);
    if (!this.hasLeft(account, RECORDS, records.length)) return undefined;
    const origin = `${from.site}.${store}`;
    const by = { origin, site: from.site, nowMs: Date.now(), known: () => Number.POSITIVE_INFINITY };
    for (const record of records) {
      const judgement = judgeRecord(record, by, rule);
      if (judgement.verdict === 'refuse') return { refused: judgement.reason };
      if (judgement.verdict !== 'take') return undefined;
    }
    return { records: records.map((record) => ({ origin, ...record })) };
  }

  /** Sites hear of each other one after the other: it may be this one that does not know yet, so the hub is asked first. */
  private stranger(account: string): Taking {
    const askedAt = this.strangers.get(account);
    if (askedAt !== undefined && this.heardAt > askedAt)
      return { refused: `account ${account} is not to give records of it to this site` };
    if (askedAt !== undefined) return undefined;
    if (this.strangers.size >= STRANGERS) this.strangers.clear();
    this.strangers.set(account, performance.now());
    return { ask: true };
  }

  private get known(): OtherSites | undefined {
    return performance.now() < this.knownUntil ? this.others : undefined;
  }

  private hasLeft(whose: string, quota: Quota, amount: number): boolean {
    const now = performance.now();
    const { ok, bucket } = take(this.left.get(whose) ?? fullBucket(quota, now), quota, amount, now);
    this.left.set(whose, bucket);
    return ok;
  }
}
