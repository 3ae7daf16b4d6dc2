import { Inject, Injectable } from '@nestjs/common';
import {
  LIMITS,
  type CopiesRequest,
  type DataKey,
  type Dataset,
  type OfferedKey,
  type SealingKey,
  type SealingNews,
  type Site,
  type Wanting,
} from '@skerry/contracts';
import { isKeyOver, keyAreaOf, mayHoldKey, takesKey, withWraps } from '@skerry/domain';
import { JsonLog } from '@skerry/service';
import { CopiesStore } from '../stores/copies.store.js';
import { WrappedKeysStore } from '../stores/wrapped-keys.store.js';
import { WantedStore } from '../stores/wanted.store.js';

/** Sites that are asked at once to wrap for one that lacks keys, and how seldom one is asked again. */
const ASKED_AT_ONCE = 3;
const ASK_EVERY_MS = 1_000;

/** Who may have which dataset. */
export type Wall = Pick<CopiesStore, 'allowed' | 'isStranger' | 'mayHave'>;

/** What a node is told of the keys of an encrypted dataset. */
export type KeysOf = (dataset: Dataset, site: Site, store: string | undefined) => SealingNews;

/** A node that can seal: known from what it said last, and anew when it says so again. */
interface Node {
  site: string;
  store: string;
  key: SealingKey;
}

/**
 * Carries the keys of encrypted datasets between sites, wrapped: who made one, for whom it is wrapped, and who lacks it. Reads none
 * of them. Whether a site may have one is asked of the same allow-list as its copies.
 */
@Injectable()
export class KeepKeys {
  private ask: ((site: string) => void) | undefined;
  /** By site, its nodes by store. */
  private readonly nodes = new Map<string, Map<string, Node>>();
  private readonly askedAt = new Map<string, number>();
  private readonly asking = new Map<string, NodeJS.Timeout>();
  /** One offer after the other: each is judged by what the ones before it have made. */
  private turn: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly wanted: WantedStore,
    @Inject(CopiesStore) private readonly copies: Wall,
    private readonly keys: WrappedKeysStore,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  /** From now on this instance keeps them; `ask` has a site say how it stands. */
  start(ask: (site: string) => void): void {
    this.ask = ask;
  }

  stop(): void {
    this.ask = undefined;
    this.nodes.clear();
    this.askedAt.clear();
    for (const timer of this.asking.values()) clearTimeout(timer);
    this.asking.clear();
  }

  /** What a site says of keys, before it is answered. */
  async heard(site: Site, { store, sealing }: Pick<CopiesRequest, 'store' | 'sealing'>): Promise<void> {
    if (sealing?.key !== undefined && store !== undefined) this.meet(site, store, sealing.key);
    for (const offer of sealing?.offers ?? []) {
      const mine = this.turn.then(async () => await this.take(site, offer));
      this.turn = mine.catch(() => undefined);
      // Not stored: the site offers it again, since it is not told of it.
      await mine.catch((error: unknown) =>
        this.log.warn(`a key of ${offer.project}/${offer.name} from site ${site.name} was not stored`, error),
      );
    }
  }

  /** The keys of a dataset as one node is told of them, and who else lacks which. */
  newsOf(dataset: Dataset, site: Site, store: string | undefined): SealingNews {
    const { residency } = dataset.spec;
    const keys = this.keys.of(dataset).filter(({ area }) => mayHoldKey(residency, area, site));
    const told = keys.map((key) => {
      const wrap = wrapFor(key, site.name, store);
      const over = isKeyOver(key, (name) => this.copies.isStranger(dataset, name));
      const { id, area, madeAt } = key;
      return { id, area, madeAt, ...(over ? { over } : {}), ...(wrap === undefined ? {} : { wrap }) };
    });
    if (store !== undefined && told.some(({ wrap }) => wrap === undefined)) this.askHolders(site, keys);
    return { keys: told, wanting: this.wantingOf(dataset, site, { store, keys }) };
  }

  /** Forgets the keys of a dataset that is no more, or is another. */
  async drop(dataset: Dataset): Promise<void> {
    if (this.ask !== undefined) await this.keys.drop(dataset);
  }

  private meet({ name: site }: Site, store: string, key: SealingKey): void {
    const nodes = this.nodes.get(site) ?? new Map<string, Node>();
    if (nodes.size >= LIMITS.nodesPerSite && !nodes.has(store)) return;
    this.nodes.set(site, nodes.set(store, { site, store, key }));
  }

  private async take(site: Site, offer: OfferedKey): Promise<void> {
    const dataset = this.copies.allowed(site, offer, 'write');
    if (dataset?.spec.encryption === undefined) return;
    const wraps = offer.wraps.filter(
      (wrap) => wrap.by === site.name && this.isFor(dataset, offer.area, wrap.site),
    );
    const known = this.keys.get(dataset, offer.id);
    const next =
      known === undefined ? this.made(dataset, site, { ...offer, wraps }) : this.wrapped(known, site, wraps);
    if (next === undefined || next === known) return;
    await this.keys.write(next);
    const had = new Set(known?.wraps.map((wrap) => wrap.site));
    for (const name of new Set(wraps.map((wrap) => wrap.site)))
      if (name !== site.name && !had.has(name)) this.ask?.(name);
  }

  private made(dataset: Dataset, site: Site, offer: OfferedKey): DataKey | undefined {
    const { project, name, incarnation, spec } = dataset;
    const isBarred = (other: string) => this.copies.isStranger(dataset, other);
    const nowMs = Date.now();
    const isMine = offer.again === true || offer.area === keyAreaOf(spec.residency, site);
    // Nobody makes a key for others' records, also not one that is said to have been lost.
    const mayMake = isMine && mayHoldKey(spec.residency, offer.area, site);
    if (!mayMake || !takesKey(offer, site.name, { keys: this.keys.of(dataset), isBarred, nowMs }))
      return undefined;
    const { id, area, wraps } = offer;
    const made = { madeBy: site.name, madeAt: new Date(nowMs).toISOString() };
    const again = offer.again === true ? { again: offer.again } : {};
    return { kind: 'DataKey', project, name, incarnation, id, area, ...made, ...again, wraps };
  }

  /** Only who has a key says for whom it is wrapped. */
  private wrapped(key: DataKey, site: Site, wraps: DataKey['wraps']): DataKey | undefined {
    return key.wraps.some((wrap) => wrap.site === site.name) ? withWraps(key, wraps) : undefined;
  }

  private wantingOf(
    dataset: Dataset,
    site: Site,
    { store, keys }: { store: string | undefined; keys: readonly DataKey[] },
  ): Wanting[] {
    const area = keyAreaOf(dataset.spec.residency, site);
    const mine = keys.filter((key) => wrapFor(key, site.name, store) !== undefined);
    const isNew = !mine.some(
      (key) => key.area === area && !isKeyOver(key, (name) => this.copies.isStranger(dataset, name)),
    );
    const wanting: Wanting[] = [];
    for (const node of this.others(site.name, store)) {
      if (area === undefined || !this.isFor(dataset, area, node.site)) continue;
      const lacks = mine.flatMap((key) =>
        wrapFor(key, node.site, node.store) === undefined ? [key.id] : [],
      );
      const jurisdictions = this.wanted.site(node.site)?.jurisdictions ?? [];
      // A key that is about to be made is for all of them.
      if (lacks.length > 0 || isNew) wanting.push({ ...node, jurisdictions, lacks });
      if (wanting.length === LIMITS.wrapsPerMessage) break;
    }
    return wanting;
  }

  private *others(site: string, store: string | undefined): Iterable<Node> {
    for (const [name, nodes] of this.nodes)
      for (const node of nodes.values()) if (name !== site || node.store !== store) yield node;
  }

  private askHolders(site: Site, keys: readonly DataKey[]): void {
    const holders = new Set(keys.flatMap(({ wraps }) => wraps.map((wrap) => wrap.site)));
    holders.delete(site.name);
    const before = (name: string) => this.askedAt.get(name) ?? 0;
    // Others each time: the first ones may be away.
    const asked = [...holders].toSorted((a, b) => before(a) - before(b)).slice(0, ASKED_AT_ONCE);
    for (const name of asked) this.askSoon(name);
  }

  /** At once, or as soon as it may be asked again: then with what others lack too. */
  private askSoon(name: string): void {
    if (this.asking.has(name)) return;
    const before = this.askedAt.get(name) ?? Number.NEGATIVE_INFINITY;
    const waitMs = Math.max(0, before + ASK_EVERY_MS - performance.now());
    const ask = () => {
      this.asking.delete(name);
      this.askedAt.set(name, performance.now());
      this.ask?.(name);
    };
    this.asking.set(name, setTimeout(ask, waitMs).unref());
  }

  private isFor(dataset: Dataset, area: string, name: string): boolean {
    const site = this.wanted.site(name);
    return (
      site !== undefined &&
      mayHoldKey(dataset.spec.residency, area, site) &&
      this.copies.mayHave(dataset, site)
    );
  }
}

function wrapFor(
  key: DataKey,
  site: string,
  store: string | undefined,
): DataKey['wraps'][number] | undefined {
  return key.wraps.find((wrap) => wrap.site === site && wrap.store === store);
}
