import { Inject, Injectable } from '@nestjs/common';
import type { Bus } from '@skerry/bus';
import {
  entryPullSchema,
  HUB,
  logsRequestSchema,
  parse,
  parseAcross,
  type CopySet,
  type Dataset,
  type EntryPage,
  type LogNews,
  type LogsRequest,
  type Site,
} from '@skerry/contracts';
import { declaredDatasetOf, isChosen, isOfAnother } from '@skerry/domain';
import { BUS, JsonLog, type PlainMessage } from '@skerry/service';
import { EntriesStore } from '../stores/entries.store.js';
import { logOf, LogsStore } from '../stores/logs.store.js';
import { WantedStore } from '../stores/wanted.store.js';
import type { Stand } from './choose-copies.handler.js';
import { DeclaredRoom } from './declared-room.js';
import type { KeysOf } from './keep-keys.handler.js';
import { standOf } from './log-stands.js';
import { SaidAgain } from './said-again.js';
import { SiteQuotas } from './site-quotas.js';

type Held = LogsRequest['held'][number];

/** Questions of one site: every log page by page after a long absence, then so many a second. */
const QUESTIONS = { perSecond: 100, burst: 5_000 };
/** Says nothing but that it is time to ask. */
const ASK: LogNews = { logs: [], gone: [] };

/** Says to each site which logs it shall have and forget, and gives what it lacks, a page at a time, as fast as it takes them. */
@Injectable()
export class GiveEntries {
  private active = false;
  private held: (site: Site, request: LogsRequest) => Promise<void> = () => Promise.resolve();
  private stands: (site: Site, stands: readonly Stand[]) => void = () => undefined;
  private told: (site: Site, news: LogNews) => void = () => undefined;
  private keysOf: KeysOf = () => ({ keys: [], wanting: [] });
  private readonly quotas = new SiteQuotas(QUESTIONS);
  private readonly again = new SaidAgain();

  constructor(
    private readonly wanted: WantedStore,
    private readonly logs: LogsStore,
    private readonly entries: EntriesStore,
    @Inject(BUS) private readonly bus: Bus,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  /** Called with what a site says of its logs, before it is answered. */
  onHeld(listener: (site: Site, request: LogsRequest) => Promise<void>): void {
    this.held = listener;
  }

  /** Called with how the logs of a site stand, of those whose sites are chosen, before it is answered. */
  onStands(listener: (site: Site, stands: readonly Stand[]) => void): void {
    this.stands = listener;
  }

  /** Called with what a site is told. */
  onTold(listener: (site: Site, news: LogNews) => void): void {
    this.told = listener;
  }

  /** What a node is told of the keys of an encrypted log. */
  onSealed(keysOf: KeysOf): void {
    this.keysOf = keysOf;
  }

  /** From now on this instance answers; every site is told to ask, since nobody knows what it was told before. */
  async start(): Promise<void> {
    this.active = true;
    // Again a little later: a site whose link is away in this moment would hear nothing for minutes.
    for (const { name } of this.wanted.allSites()) this.askAgain(name);
    for (const dataset of this.logs.all()) if (dataset.removed) await this.entries.drop(dataset);
  }

  stop(): void {
    this.active = false;
    this.logs.forgetHeard();
    this.again.clear();
  }

  /** A dataset is another than it was: the sites that have it as a log, or had it, are told to ask. */
  async changed(before: Dataset | undefined, after: Dataset): Promise<void> {
    const log = [before, after].some((dataset) => dataset?.spec.type === 'log');
    if (!this.active || !log) return;
    const isNew = before === undefined || before.incarnation !== after.incarnation;
    if (before !== undefined && (after.removed || isNew)) await this.entries.drop(after);
    for (const site of this.wanted.allSites()) {
      this.say(site);
      // A lost word would leave a log where it may not be for minutes.
      if ([before, after].some((dataset) => dataset !== undefined && this.logs.mayHave(dataset, site)))
        this.again.later(site.name, () => this.say(site));
    }
  }

  /** A site is another than it was: what it may have may be too. */
  siteChanged(site: Site): void {
    if (this.active) this.say(site);
  }

  /** Has a site say how its logs stand. */
  ask(name: string): void {
    const site = this.wanted.site(name);
    if (this.active && site !== undefined) this.say(site);
  }

  /** The same, and a little later again. */
  askAgain(name: string): void {
    const site = this.wanted.site(name);
    if (!this.active || site === undefined) return;
    this.say(site);
    this.again.later(name, () => this.say(site));
  }

  /** Sites were chosen for a dataset: those that have it as a log from now on, and those that give it up, are told to ask. */
  chosen(before: CopySet | undefined, after: CopySet): void {
    const dataset = this.logs.current(after);
    if (!this.active || dataset === undefined) return;
    const isOfThis = before?.incarnation === after.incarnation;
    // What was there before sites were chosen may be anywhere.
    const anywhere = !isOfThis && dataset.generation > dataset.incarnation;
    const had = new Set(isOfThis ? before.copies.map((copy) => copy.site) : []);
    const has = new Set(after.copies.map((copy) => copy.site));
    for (const { name } of this.wanted.allSites())
      if (anywhere || had.has(name) !== has.has(name)) this.askAgain(name);
  }

  async greet(message: PlainMessage): Promise<void> {
    const site = this.asker(message);
    if (site === undefined || message.reply === undefined) return;
    const parsed = parseAcross(logsRequestSchema, message.json());
    if (!parsed.ok) return this.log.warn(`site ${site.name} does not say which logs it holds`);
    await this.held(site, parsed.value);
    const stands = await this.standsOf(site, parsed.value);
    this.stands(site, [...stands.values()]);
    const news = await this.newsFor(site, parsed.value, stands);
    this.told(site, news);
    message.reply(news);
  }

  async pull(message: PlainMessage): Promise<void> {
    const site = this.asker(message);
    if (site === undefined || message.reply === undefined) return;
    const parsed = parse(entryPullSchema, message.json());
    const dataset = parsed.ok ? this.logs.allowed(site, parsed.value, 'read') : undefined;
    const collected = dataset !== undefined && logOf(dataset).flow === 'collect';
    if (collected)
      this.logs.refused(site, dataset, { what: 'read', why: 'this log goes from the sites to the centre' });
    if (!parsed.ok || dataset === undefined || collected) {
      const what = parsed.ok ? `${parsed.value.project}/${parsed.value.name}` : 'nothing that there is';
      this.log.warn(`site ${site.name} asked for entries of ${what}, of which it gets none`);
      return message.reply({ ok: false, reason: 'this site gets no entries of it' } satisfies EntryPage);
    }
    const [epoch] = await this.entries.allEpochs();
    const page = await this.entries.page(dataset, parsed.value.after);
    const items = this.logs.givenTo(dataset, site, page.items);
    message.reply({ ok: true, ...page, items, streamEpoch: epoch?.mark } satisfies EntryPage);
  }

  private async standsOf(site: Site, { store, held }: LogsRequest): Promise<Map<Held, Stand>> {
    const stands = new Map<Held, Stand>();
    for (const log of held) {
      const dataset = this.logs.current(log);
      if (dataset === undefined || !isChosen(dataset.spec.copies)) continue;
      const writer = log.store ?? store;
      const origin = writer === undefined ? undefined : `${site.name}.${writer}`;
      stands.set(log, await standOf(dataset, { ...log, origin }, this.entries));
    }
    return stands;
  }

  private async newsFor(
    site: Site,
    { store, held, sealing }: LogsRequest,
    stands: ReadonlyMap<Held, Stand>,
  ): Promise<LogNews> {
    for (const log of held) this.logs.hears(site, log, log.store ?? store ?? '');
    const unknown = held.filter((h) => this.logs.isUnknown(h));
    const mine = this.logs
      .ofSite(site)
      .filter(({ spec }) => spec.encryption === undefined || sealing !== undefined)
      // What it was before is not said to who knows what it became.
      .filter((dataset) => !unknown.some((h) => isNamedAs(h, dataset)));
    const epochs = await this.entries.allEpochs();
    const streamEpoch = epochs[0]?.mark;
    const logs = await Promise.all(
      mine.map(async (dataset) => {
        const { sequence: head } = await this.entries.head(dataset);
        const keys = dataset.spec.encryption && this.keysOf(dataset, site, sealing?.store);
        const own = held.find((h) => h.project === dataset.project && h.name === dataset.name);
        const again = own?.cursor !== undefined && isOfAnother(epochs, { ...own, cursor: own.cursor });
        const declared = declaredDatasetOf(dataset);
        const news = {
          log: { ...this.logs.ruleFor(dataset, site), ...(declared && { declared }) },
          head,
          ...(again ? { again } : {}),
          streamEpoch,
          ...(keys && { sealing: keys }),
        };
        const writer = own?.store ?? store;
        if (writer === undefined) return news;
        return { ...news, stored: await this.entries.newestOf(dataset, `${site.name}.${writer}`) };
      }),
    );
    // Only what is known to be over: that nothing is known of it, or of what it became, never means that it has to go.
    const over = held.filter((h) => this.logs.isOver(site, h) && !unknown.includes(h));
    const going = await Promise.all(over.map(async (h) => await this.goneFrom(site, h, stands.get(h))));
    const gone = going.flatMap((ref) => ref ?? []);
    const room = new DeclaredRoom();
    return {
      logs: logs.map((one) => ({ ...one, log: room.leave(one.log) })),
      gone,
      ...(unknown.length === 0 ? {} : { unknown: unknown.map(refOf) }),
    };
  }

  /** What nothing but a choice takes from a site stays there until the hub is known to have all of it, and the site knows so too. */
  private async goneFrom(
    site: Site,
    held: Held,
    stand: Stand | undefined,
  ): Promise<LogNews['gone'][number] | undefined> {
    const dataset = this.logs.current(held);
    if (dataset === undefined || this.logs.isBarred(dataset, site)) return refOf(held);
    if (stand?.unsent !== 0 || stand.lost) return undefined;
    const origin = `${site.name}.${held.store ?? ''}`;
    const stored = held.store === undefined ? {} : { stored: await this.entries.newestOf(dataset, origin) };
    return { ...refOf(held), ifSent: true, ...stored };
  }

  private asker(message: PlainMessage): Site | undefined {
    const site = this.wanted.ofAccount(message.subject.split('.')[1]);
    if (!this.active || site === undefined || !this.wanted.mayReceive(site.name)) return undefined;
    return this.quotas.take(site.name) ? site : undefined;
  }

  private say(site: Site): void {
    if (this.wanted.mayReceive(site.name)) this.bus.say(HUB.logNews(site.account), ASK);
  }
}

const isNamedAs = (a: Pick<Dataset, 'project' | 'name'>, b: Pick<Dataset, 'project' | 'name'>) =>
  a.project === b.project && a.name === b.name;
const refOf = ({ project, name, incarnation }: LogNews['gone'][number]) => ({ project, name, incarnation });
