import { LIMITS, type OfferedKey, type Wanting, type Wrap } from '@skerry/contracts';
import { mayHoldKey } from '@skerry/domain';
import type { NodeKeys } from './node-keys.js';
import type { HeldKey } from './record-box.js';
import type { Ring } from './ring.js';
import { isSigned, wrapKey, type Receiver } from './wrapped-key.js';

/** How long a key of others that is not wrapped for this node is waited for, before one is made beside it: longer than the hub wants. */
const PATIENCE_MS = 12_000;
/** The same is not offered again so soon. */
const AGAIN_MS = 2_000;

/** What this node has to say of the keys of one dataset: who it wraps for, and what it makes. */
export class Offers {
  private readonly said = new Map<string, number>();
  private lackingSince: number | undefined;
  private waiting: OfferedKey[] = [];

  constructor(
    private readonly ring: Ring,
    private readonly me: Receiver,
    private readonly keys: NodeKeys,
  ) {}

  /** What is to be said, once. */
  take(): OfferedKey[] {
    const offers = this.waiting;
    this.waiting = [];
    return offers;
  }

  /** Makes offers of what the hub said last; whether there are any. */
  async make(wanting: readonly Wanting[]): Promise<boolean> {
    const { ring } = this;
    const trusted = await this.trusted(wanting);
    const mine = ring.all().map((key) => {
      const known = ring.told?.has(key.id) === true;
      const lack = trusted.filter(({ lacks }) => !known || lacks.includes(key.id));
      return this.offer(key, known ? lack : [...lack, this.me], !known);
    });
    const drawn = this.mayDraw() ? [this.offer(ring.draw(), [...trusted, this.me], false)] : [];
    this.waiting = [...mine, ...drawn].filter((offer) => offer !== undefined);
    return this.waiting.length > 0;
  }

  /** Who has a key to lack it: the law lets the site have it, and the site's nkey says that the key to wrap for is its own. */
  private async trusted(wanting: readonly Wanting[]): Promise<(Receiver & Wanting)[]> {
    const trusted: (Receiver & Wanting)[] = [];
    for (const node of wanting)
      if (isSigned(node, node.key) && (await this.keys.believes(node.site, node.key.identity)))
        trusted.push({ ...node, publicKey: node.key.publicKey });
    return trusted;
  }

  private mayDraw(): boolean {
    if (this.ring.current !== undefined) {
      this.lackingSince = undefined;
      return false;
    }
    const now = performance.now();
    this.lackingSince ??= now;
    return this.ring.valid().length === 0 || now - this.lackingSince > PATIENCE_MS;
  }

  private offer(
    key: HeldKey,
    to: readonly (Receiver & Partial<Wanting>)[],
    again: boolean,
  ): OfferedKey | undefined {
    const { project, name, incarnation, id, area } = key;
    const { residency } = this.ring.rule;
    const wraps: Wrap[] = [];
    for (const node of to) {
      const isMe = node.store === this.me.store;
      const may = isMe || mayHoldKey(residency, area, { jurisdictions: node.jurisdictions ?? [] });
      if (!may || wraps.length === LIMITS.wrapsPerMessage || !this.isDue(`${id} ${node.store}`)) continue;
      wraps.push(wrapKey(key, node, { site: this.me.site, nkey: this.keys.site }));
    }
    // Without one for itself the hub would not take a new one.
    if (wraps.length === 0) return undefined;
    return { project, name, incarnation, id, area, ...(again ? { again } : {}), wraps };
  }

  private isDue(what: string): boolean {
    const now = performance.now();
    const before = this.said.get(what);
    if (before !== undefined && now - before < AGAIN_MS) return false;
    this.said.set(what, now);
    return true;
  }
}
