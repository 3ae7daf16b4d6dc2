import { Inject, Injectable } from '@nestjs/common';
import type { Bus } from '@skerry/bus';
import {
  copiesRequestSchema,
  HUB,
  parse,
  parseAcross,
  pullRequestSchema,
  workloadKey,
  type CopiesRequest,
  type CopyNews,
  type CopySet,
  type Dataset,
  type PullAnswer,
  type SealingNews,
  type Site,
} from '@skerry/contracts';
import { declaredDatasetOf, isOfAnother } from '@skerry/domain';
import { BUS, JsonLog, type PlainMessage } from '@skerry/service';
import { CopiesStore, copyOf, isKept } from '../stores/copies.store.js';
import { RecordsStore } from '../stores/records.store.js';
import { WantedStore } from '../stores/wanted.store.js';
import { DeclaredRoom } from './declared-room.js';
import { otherSites } from './other-sites.js';
import { SaidAgain } from './said-again.js';
import { SiteQuotas } from './site-quotas.js';

/** Questions of one site: every copy page by page after a long absence, then so many a second. */
const QUESTIONS = { perSecond: 100, burst: 5_000 };

/** What a site said it holds when it had everything up to a sequence. */
interface Standing {
  cursor: number;
  digest: string;
  site: string;
  store: string | undefined;
}

type KeysOf = (dataset: Dataset, site: Site, store: string | undefined) => SealingNews;

/**
 * Says to each site which copies it shall have and forget, and gives what a copy lacks. Whether the site may have it is asked anew
 * with each message. Digests of sites that have everything are compared: two that differ read all again.
 */
@Injectable()
export class GiveCopies {
  private active = false;
  private held: (site: Site, request: CopiesRequest) => Promise<void> = () => Promise.resolve();
  private homed: (site: Site, request: CopiesRequest) => Promise<void> = () => Promise.resolve();
  private told: (site: Site, news: CopyNews) => void = () => undefined;
  private keysOf: KeysOf = () => ({ keys: [], wanting: [] });
  private readonly standings = new Map<string, Standing>();
  /** Copies that differ from another at the same place, and were not told yet: nobody knows which of the two lacks something. */
  private readonly differing = new Set<string>();
  /** Of each site what rules may go by. */
  private readonly sites = new Map<string, string>();
  private unlisten: () => void = () => undefined;
  private readonly quotas = new SiteQuotas(QUESTIONS);
  private readonly again = new SaidAgain();

  constructor(
    readonly wanted: WantedStore,
    readonly copies: CopiesStore,
    readonly records: RecordsStore,
    @Inject(BUS) private readonly bus: Bus,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  /** Called with what a site says it holds, before it is answered. */
  onHeld(listener: (site: Site, request: CopiesRequest) => Promise<void>): void {
    this.held = listener;
  }

  /** Called after that: who may write is decided before it is answered. */
  onHomes(listener: (site: Site, request: CopiesRequest) => Promise<void>): void {
    this.homed = listener;
  }

  /** What a node is told of the keys of an encrypted dataset. */
  onSealed(keysOf: KeysOf): void {
    this.keysOf = keysOf;
  }

  /** Called with what a site is told. */
  onTold(listener: (site: Site, news: CopyNews) => void): void {
    this.told = listener;
  }

  /** From now on this instance answers; every site is told to ask, since nobody knows what it was told before. */
  async start(): Promise<void> {
    this.active = true;
    this.unlisten();
    // A hub that comes back may have lost its newest, which sites have.
    this.unlisten = this.bus.onConnection((connected) => connected && this.askAll());
    this.askAll();
    for (const dataset of this.copies.all()) if (dataset.removed) await this.records.drop(dataset);
  }

  stop(): void {
    this.active = false;
    this.unlisten();
    this.copies.forgetHeard();
    this.again.clear();
    this.standings.clear();
    this.differing.clear();
  }

  private askAll(): void {
    this.standings.clear();
    for (const site of this.wanted.allSites()) this.ask(site.name);
  }

  /** A dataset is another than it was: tells the sites that have it, and those that had it. */
  async changed(before: Dataset | undefined, after: Dataset): Promise<void> {
    // Who has not heard of it gives nothing more.
    if (before !== undefined) this.records.marks.revoke(after);
    if (!this.active || !isKept(after)) return;
    const tell = async () => await this.tell(before, after);
    this.again.later(workloadKey(after.project, after.name), () => void tell().catch(() => undefined));
    const isNew = before === undefined || before.incarnation !== after.incarnation;
    if (before !== undefined && (after.removed || isNew)) await this.records.drop(after);
    await tell();
  }

  private async tell(before: Dataset | undefined, after: Dataset): Promise<void> {
    if (!this.active) return;
    const gone = { project: after.project, name: after.name, incarnation: before?.incarnation ?? 0 };
    for (const site of this.wanted.allSites()) {
      if (this.copies.mayHave(after, site)) {
        await this.give(after, site);
        // What it has written since is taken once it has said what it holds.
        if (after.recovered === true) this.askAgain(site);
      } else if (before !== undefined && this.copies.isOver(site, gone)) this.leave(site, gone);
    }
  }

  /** Tells a site to forget its copy. Of what sites brought back it has to say first what it holds: it may be what the hub lacks. */
  private leave(site: Site, gone: CopyNews['gone'][number]): void {
    const isBack = this.copies.current(gone)?.recovered === true;
    this.say(site, { copies: [], gone: isBack ? [] : [this.goneFrom(site, gone)] });
  }

  /** Copies were chosen: tells the sites that have one from now on, and those that give theirs up. */
  async chosen(before: CopySet | undefined, after: CopySet): Promise<void> {
    if (!hasSameSites(before, after)) this.records.marks.revoke(after);
    const dataset = this.copies.current(after);
    if (!this.active || dataset === undefined || !isKept(dataset)) return;
    // What was there before copies were chosen may be anywhere.
    const anywhere = before?.incarnation !== after.incarnation && dataset.generation > dataset.incarnation;
    const all = anywhere ? [...this.wanted.allSites()].map((site) => site.name) : [];
    const had = new Set(before?.copies.map((copy) => copy.site));
    const leaves = new Set([...had, ...all]);
    for (const { site: name } of after.copies) {
      const site = this.wanted.site(name);
      leaves.delete(name);
      if (site === undefined || had.has(name) || !this.copies.mayHave(dataset, site)) continue;
      await this.give(dataset, site);
      // One that has it already learns only by asking whether the hub lacks what it has sent.
      this.askAgain(site);
    }
    for (const name of leaves) this.ask(name);
    // Those that stay give to others from now on.
    for (const site of hasSameSites(before, after) ? [] : this.copies.sitesOf(dataset))
      if (had.has(site.name) && otherSites(this, dataset, site) !== undefined) await this.give(dataset, site);
  }

  /** Something that copies go by is another than it was: tells every site with one. */
  async retell(dataset: Dataset): Promise<void> {
    for (const site of this.copies.sitesOf(dataset)) if (this.active) await this.give(dataset, site);
  }

  /** Tells a site of its copy; one that is encrypted only when it asks and says that it can seal. */
  private async give(dataset: Dataset, site: Site): Promise<void> {
    const copies = dataset.spec.encryption === undefined ? [await this.newsOf(dataset, site)] : [];
    this.say(site, { copies, gone: [] });
  }

  /** Has a site say how its copies stand. */
  ask(name: string): void {
    const site = this.wanted.site(name);
    if (!this.active || site === undefined) return;
    this.say(site, { copies: [], gone: [] });
    this.askAgain(site);
  }

  /** The same a little later: of much that is so in one moment, once. */
  private askAgain(site: Site): void {
    this.again.later(site.name, () => this.say(site, { copies: [], gone: [] }));
  }

  /** Every node of a site has said how its copies stand: it need not be asked again. */
  answered(name: string): void {
    this.again.heard(name);
  }

  /** A site is another than it was: what it may have may be too. */
  siteChanged(site: Site): void {
    const { membership, account, jurisdictions, labels, provider, kind, location, datasets } = site;
    const rest = { membership, account, jurisdictions, labels, provider, kind, location, datasets };
    const now = JSON.stringify(rest);
    if (this.sites.get(site.name) !== now) this.records.marks.revokeAll();
    this.sites.set(site.name, now);
    this.ask(site.name);
  }

  async greet(message: PlainMessage): Promise<void> {
    const site = this.asker(message);
    if (site === undefined || message.reply === undefined) return;
    const parsed = parseAcross(copiesRequestSchema, message.json());
    if (!parsed.ok) return this.log.warn(`site ${site.name} does not say which copies it holds`);
    await this.held(site, parsed.value);
    await this.homed(site, parsed.value);
    const news = await this.newsFor(site, parsed.value);
    this.told(site, news);
    message.reply(news);
  }

  async pull(message: PlainMessage): Promise<void> {
    const site = this.asker(message);
    if (site === undefined || message.reply === undefined) return;
    const parsed = parse(pullRequestSchema, message.json());
    const dataset = parsed.ok ? this.copies.allowed(site, parsed.value) : undefined;
    if (!parsed.ok || dataset === undefined) {
      const what = parsed.ok ? `${parsed.value.project}/${parsed.value.name}` : 'nothing that there is';
      this.log.warn(`site ${site.name} asked for ${what}, of which it has no copy`);
      return message.reply({ ok: false, reason: 'this site has no copy of it' } satisfies PullAnswer);
    }
    const [epoch] = await this.records.allEpochs();
    const page = await this.records.page(dataset, parsed.value.after);
    const given = this.copies.givenTo(dataset, site, page.records);
    message.reply({ ok: true, ...page, ...given, streamEpoch: epoch?.mark } satisfies PullAnswer);
  }

  private async newsFor(site: Site, { store, held, sealing }: CopiesRequest): Promise<CopyNews> {
    for (const copy of held) this.copies.hears(site, copy, copy.store ?? store ?? '');
    const unknown = held.filter((h) => this.copies.isUnknown(h));
    const mine = this.copies
      .ofSite(site)
      .filter(({ spec }) => canSeal(spec, sealing))
      // What it was before is not said to who knows what it became.
      .filter((dataset) => !unknown.some((h) => isNamedAs(h, dataset)));
    const gone = await this.goneOf(site, held);
    const epochs = await this.records.allEpochs();
    const streamEpoch = epochs[0]?.mark;
    const copies = await Promise.all(
      mine.map(async (dataset) => {
        const own = held.find((h) => h.project === dataset.project && h.name === dataset.name);
        const writer = own?.store ?? store;
        const origin = writer === undefined ? undefined : `${site.name}.${writer}`;
        const news = {
          ...(await this.newsOf(dataset, site, origin)),
          ...(dataset.spec.encryption && { sealing: this.keysOf(dataset, site, store) }),
        };
        const again = own !== undefined && (isOfAnother(epochs, own) || this.differs(site, dataset, own));
        return { ...news, ...(again ? { again } : {}), streamEpoch };
      }),
    );
    const room = new DeclaredRoom();
    return {
      copies: copies.map((one) => ({ ...one, copy: room.leave(one.copy) })),
      gone: gone.map((ref) => this.goneFrom(site, ref)),
      ...(unknown.length === 0 ? {} : { unknown: unknown.map(refOf) }),
    };
  }

  /**
   * Only what is known to be over: that nothing is known of it, or of what it became, never means that it has to go. Nor does what no
   * choice names while the hub may have lost what was sent from there, which the site takes for sent: it is chosen first, and sends it
   * again.
   */
  private async goneOf(site: Site, held: CopiesRequest['held']): Promise<CopiesRequest['held']> {
    const gone: CopiesRequest['held'] = [];
    for (const copy of held) {
      if (!this.copies.isOver(site, copy) || this.copies.isUnknown(copy)) continue;
      const { ifSent } = this.goneFrom(site, copy);
      if (ifSent !== true || !(await this.records.hasLost(copy, copy))) gone.push(copy);
    }
    return gone;
  }

  /** What nothing but a choice takes from a site stays there until the hub has all of it. */
  private goneFrom(
    site: Site,
    { project, name, incarnation }: CopyNews['gone'][number],
  ): CopyNews['gone'][number] {
    const dataset = this.copies.current({ project, name, incarnation });
    const ifSent = dataset !== undefined && !this.copies.isBarred(dataset, site);
    return { project, name, incarnation, ...(ifSent ? { ifSent } : {}) };
  }

  private async newsOf(dataset: Dataset, site: Site, origin?: string) {
    const area = this.copies.areaOf(dataset, site);
    // Before what is stored: of an epoch that is over nothing more comes then.
    const holder = this.copies.homes.holderOf(dataset, origin?.split('.')[1]);
    const declared = declaredDatasetOf(dataset);
    const copy = {
      ...copyOf(dataset, site.name),
      ...(declared && { declared }),
      ...(area === undefined ? {} : { area }),
      ...(holder && { holder }),
    };
    const others = otherSites(this, dataset, site);
    const stored = origin === undefined ? {} : { stored: await this.records.newestOf(dataset, origin) };
    return { copy, head: await this.records.head(dataset), ...stored, ...(others && { others }) };
  }

  /** Whether a site that has everything shows something else than another at the same place. Values that run out do so by each one's clock. */
  private differs(site: Site, dataset: Dataset, own: CopiesRequest['held'][number]): boolean {
    const { cursor, digest, unsent, store } = own;
    if (digest === undefined || unsent > 0 || dataset.spec.ttlMs !== undefined) return false;
    // Each area has its own records.
    const key = `${workloadKey(dataset.project, dataset.name)} ${this.copies.areaOf(dataset, site) ?? ''}`;
    if (this.differing.delete(`${key} ${site.name} ${store}`)) return true;
    const known = this.standings.get(key);
    if (known?.cursor !== cursor) {
      if (known === undefined || cursor > known.cursor)
        this.standings.set(key, { cursor, digest, site: site.name, store });
      return false;
    }
    if (known.digest === digest) return false;
    this.standings.delete(key);
    this.differing.add(`${key} ${known.site} ${known.store}`);
    this.ask(known.site);
    this.log.error(
      `alarm: sites ${site.name} and ${known.site} hold different ${dataset.project}/${dataset.name} at ${cursor}: reading again`,
    );
    return true;
  }

  private asker(message: PlainMessage): Site | undefined {
    const site = this.wanted.ofAccount(message.subject.split('.')[1]);
    if (!this.active || site === undefined || !this.wanted.mayReceive(site.name)) return undefined;
    return this.quotas.take(site.name) ? site : undefined;
  }

  private say(site: Site, news: CopyNews): void {
    if (!this.wanted.mayReceive(site.name)) return;
    this.told(site, news);
    this.bus.say(HUB.copyNews(site.account), news);
  }
}

/** Whether a node can seal what it would write to this dataset. */
function canSeal({ encryption, type }: Dataset['spec'], sealing: CopiesRequest['sealing']): boolean {
  if (encryption === undefined) return true;
  return type === 'objects' ? sealing?.objects === true : sealing !== undefined;
}

function hasSameSites(before: CopySet | undefined, after: CopySet): boolean {
  const sites = (set: CopySet | undefined) => JSON.stringify(set?.copies.map(({ site }) => site).toSorted());
  return before?.incarnation === after.incarnation && sites(before) === sites(after);
}

const isNamedAs = (a: Pick<Dataset, 'project' | 'name'>, b: Pick<Dataset, 'project' | 'name'>) =>
  a.project === b.project && a.name === b.name;
const refOf = ({ project, name, incarnation }: CopyNews['gone'][number]) => ({ project, name, incarnation });
