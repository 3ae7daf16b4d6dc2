import type { DatasetRecord, OwnRecord, SealingNews, ToldKey } from '@skerry/contracts';
import type { Log } from '../log.js';
import type { NodeKeys } from './node-keys.js';
import { Offers } from './offers.js';
import { keyedDigest, openRecord, sealRecord, type HeldKey } from './record-box.js';
import type { Ring, SealedRule } from './ring.js';
import { isSignedWrap, unwrapKey, type Receiver } from './wrapped-key.js';

/** One encrypted copy, or log, between clear and sealed. What is written here is sealed when it leaves, what comes is opened before it is merged. */
export class CopySealing {
  readonly offers: Offers;

  constructor(
    readonly ring: Ring,
    private readonly of: { me: Receiver; keys: NodeKeys; greet: () => void; log: Log },
  ) {
    this.offers = new Offers(ring, of.me, of.keys);
  }

  get rule(): SealedRule {
    return this.ring.rule;
  }

  /** Other rules of the same dataset. */
  change(rule: SealedRule): void {
    this.ring.change(rule);
  }

  /** Whether it waits for keys: to seal with, or to open what came. */
  get lacks(): boolean {
    return this.missed || this.ring.current === undefined;
  }

  /** Whether records have come that cannot be opened here yet. */
  get missed(): boolean {
    return this.ring.missed.size > 0;
  }

  /**
   * Whether records may have been passed over that others have: some have, or a key was not here when the hub first said which there
   * are, and is not yet. Until it has said so, that is not known.
   */
  get isPartial(): boolean {
    const { ring } = this;
    const { told, lackedAtFirst } = ring;
    const lacked = (id: string) => told?.get(id)?.area === ring.area && ring.get(id) === undefined;
    return told === undefined || this.missed || [...lackedAtFirst].some(lacked);
  }

  /**
   * What the hub says of the keys. True when all records have to be read again, since some were passed over before: `readAgain` is
   * called before a key is kept with which they can be opened, so that a kill leaves no copy that has it and lacks them.
   */
  async heard(
    { keys, wanting }: SealingNews,
    readAgain = async () => await Promise.resolve(),
  ): Promise<boolean> {
    const { ring } = this;
    const isFirst = ring.told === undefined;
    ring.told = new Map(keys.map((key) => [key.id, key]));
    await ring.adopt((id) => ring.told?.has(id) === true);
    const gained: HeldKey[] = [];
    for (const told of keys) {
      const key = ring.get(told.id) === undefined ? await this.unwrapped(told) : undefined;
      if (key !== undefined) gained.push(key);
      else if (isFirst && ring.get(told.id) === undefined) ring.lackedAtFirst.add(told.id);
    }
    // What came before the first news, or before a restart, is not known to have been opened.
    const again = gained.some(({ id }) => isFirst || ring.missed.has(id) || ring.lackedAtFirst.has(id));
    if (again) await readAgain();
    await ring.add(gained);
    if (await this.offers.make(wanting)) this.of.greet();
    return again;
  }

  /** Records as they may leave, of the store that wrote them; undefined while there is no key to seal with. */
  seal(records: readonly OwnRecord[], origin: string): OwnRecord[] | undefined {
    const { current, rule } = this.ring;
    return current && records.map((record) => sealRecord(record, { origin, rule, by: current }));
  }

  /** Records as they are merged. What is not sealed, or not by a site that has the key, is left out and said. */
  open(records: readonly DatasetRecord[]): DatasetRecord[] {
    return records.flatMap((record) => {
      const { sealed, origin, key, write } = record;
      const held = sealed && this.keyFor(sealed.key);
      if (sealed !== undefined && held === undefined) return [];
      const state = held && openRecord(record, held);
      if (state !== undefined) return [{ origin, key, write, state }];
      const { project, name } = this.ring.rule;
      const reason = sealed === undefined ? 'in clear' : 'not what was sealed';
      this.of.log.error('a record is left out', {
        alarm: 'record-forged',
        project,
        name,
        origin,
        key,
        reason,
      });
      return [];
    });
  }

  /** What is sealed with now; undefined while there is no key. */
  get current(): HeldKey | undefined {
    return this.ring.current;
  }

  /** The key that something came sealed with; undefined: it is waited for. */
  keyFor(id: string): HeldKey | undefined {
    const held = this.ring.get(id);
    if (held === undefined && !this.ring.missed.has(id)) {
      this.ring.missed.add(id);
      this.of.greet();
    }
    return held;
  }

  /** What may be told of the digest of the copy. */
  digest(root: string): string {
    const { current } = this.ring;
    return current === undefined ? '' : keyedDigest(root, current);
  }

  private async unwrapped({ id, area, wrap }: ToldKey): Promise<HeldKey | undefined> {
    const { me, keys, log } = this.of;
    const { project, name, incarnation } = this.ring.rule;
    if (wrap === undefined || wrap.store !== me.store || wrap.site !== me.site) return undefined;
    const place = { project, name, incarnation, area, id };
    const isTrue = isSignedWrap(place, wrap) && (await keys.believes(wrap.by, wrap.identity));
    const key = isTrue ? unwrapKey(place, wrap, keys.privateKey) : undefined;
    if (key === undefined)
      log.error('a key is not taken: it is not what its site wrapped', {
        alarm: 'key-forged',
        project,
        name,
        by: wrap.by,
      });
    return key;
  }
}
