import { Inject, Injectable } from '@nestjs/common';
import type { Bus } from '@skerry/bus';
import type { Site } from '@skerry/contracts';
import { retirementOf } from '@skerry/domain';
import { BUS, CONFIG, JsonLog } from '@skerry/service';
import type { ReplicatorConfig } from '../config.js';
import { SiteStores } from '../stores/site-stores.js';
import { WantedStore } from '../stores/wanted.store.js';

/** Between two looks at the sites that leave. */
const LEAVING_EVERY_MS = 250;
/** Sites tended at once. */
const AT_ONCE = 32;

/** Keeps one durable consumer a site, tells sites what is wanted of their nodes, tells those that leave to go when nothing is left there, and clears up behind them. */
@Injectable()
export class TendSites {
  private timers: NodeJS.Timeout[] = [];
  private work: Promise<void> = Promise.resolve();
  private asked = false;
  /** Sites whose consumer is known to be there. */
  private readonly tended = new Map<string, Site['membership']>();
  private active = false;
  private stopListening: () => void = () => undefined;

  constructor(
    private readonly wanted: WantedStore,
    private readonly stores: SiteStores,
    @Inject(BUS) private readonly bus: Bus,
    @Inject(CONFIG) private readonly config: ReplicatorConfig,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  start(): void {
    this.stopListening();
    this.timers.forEach((timer) => clearInterval(timer));
    this.active = true;
    // A server of the hub may be gone, and with it the consumers that it had.
    this.stopListening = this.bus.onConnection((connected) => {
      if (connected) this.afresh();
    });
    this.timers = [
      setInterval(() => this.afresh(), this.config.tendEveryMs),
      setInterval(() => this.look(), LEAVING_EVERY_MS),
    ];
    this.afresh();
  }

  async stop(): Promise<void> {
    this.active = false;
    this.stopListening();
    this.timers.forEach((timer) => clearInterval(timer));
    await this.work;
  }

  /** A site has changed. */
  soon(): void {
    if (this.active) this.look();
  }

  /** Makes sure of every consumer, whatever was known of it: one may have gone with its server. */
  afresh(): void {
    this.tended.clear();
    this.look();
  }

  private look(): void {
    if (this.asked || !this.active) return;
    this.asked = true;
    this.work = this.work.then(async () => {
      this.asked = false;
      await this.tendAll();
    });
  }

  private async tendAll(): Promise<void> {
    const due = this.wanted.allSites().filter((site) => this.isDue(site));
    while (due.length > 0 && this.active)
      await Promise.all(due.splice(0, AT_ONCE).map((site) => this.tend(site)));
  }

  private isDue(site: Site): boolean {
    if (site.membership === 'pending') return false;
    if (site.membership === 'leaving' || this.tended.get(site.name) !== site.membership) return true;
    return site.membership === 'joined' && (this.recalled(site) || this.rulesDue(site));
  }

  private async tend(site: Site): Promise<void> {
    try {
      if (site.membership === 'removed') await this.stores.clear(site);
      else if (this.tended.get(site.name) !== site.membership) await this.stores.durables.ensure(site);
      this.tended.set(site.name, site.membership);
      if (site.membership === 'leaving') await this.retire(site);
      if (site.membership === 'joined') await this.recall(site);
      if (site.membership !== 'removed') await this.rule(site);
    } catch (error) {
      this.log.warn(`site ${site.name} not tended, trying again`, error);
    }
  }

  private recalled(site: Site): boolean {
    return this.stores.delivered.retirement(site.name) !== undefined;
  }

  /** Takes the last word back, if the site has not heard it yet. */
  private async recall(site: Site): Promise<void> {
    const sequence = this.stores.delivered.retirement(site.name);
    if (sequence === undefined) return;
    await this.stores.downlink.drop(sequence);
    this.stores.delivered.forgetRetirement(site.name);
    this.log.log(`site ${site.name} is not told to go any more`);
  }

  private rulesDue({ name, nodesGeneration }: Site): boolean {
    if (nodesGeneration === undefined) return false;
    return (this.stores.delivered.nodeRules(name)?.generation ?? 0) < nodesGeneration;
  }

  /** Says what is wanted of the site's nodes. */
  private async rule(site: Site): Promise<void> {
    const { nodes = {}, nodesGeneration: generation } = site;
    if (generation === undefined || !this.rulesDue(site)) return;
    const there = this.stores.delivered.nodeRules(site.name)?.sequence ?? 0;
    await this.stores.downlink.put({ kind: 'NodeRules', site: site.name, generation, nodes }, there);
  }

  private async retire(site: Site): Promise<void> {
    const { delivered, downlink } = this.stores;
    if (delivered.retirement(site.name) !== undefined) return;
    const left = { wanted: this.wanted.sharesAt(site.name), delivered: delivered.ofSite(site.name).size };
    const retirement = retirementOf(site, left, new Date().toISOString());
    if (retirement === undefined) return;
    await downlink.put(retirement, 0);
    this.log.log(`site ${site.name} is told to go`);
  }
}
