import { access, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LIMITS, workloadKey, type CopiesRequest, type OfferedKey } from '@skerry/contracts';
import type { Log } from '../log.js';
import { CopySealing } from './copy-sealing.js';
import type { NodeKeys } from './node-keys.js';
import { Ring, type SealedRule } from './ring.js';
import { signedKey, type Receiver } from './wrapped-key.js';

/** Wraps in one message to the hub: some 400 bytes each. */
const WRAPS_AT_ONCE = 1_000;

export interface SealingOptions {
  /** Of the copies, or logs: keys lie beside them. */
  folder: string;
  /** File with the nkey that the site joined with; a node without it cannot seal. */
  seed: string;
  /** What this node opens keys with, the same for all that is sealed here. */
  keys: () => Promise<NodeKeys>;
  site: string;
  /** Who this node is among those that write; undefined before it had a copy. */
  store: () => string | undefined;
  log: Log;
}

/** Every encrypted copy of this node, and what is said to the hub of their keys. Makes nothing on the disk before there is one. */
export class Sealing {
  private keys: NodeKeys | undefined;
  private able: boolean | undefined;
  private readonly copies = new Map<string, CopySealing>();

  constructor(private readonly options: SealingOptions) {}

  /** What goes with the question for copies; undefined from a node that cannot seal. */
  async request(): Promise<CopiesRequest['sealing']> {
    this.able ??= await access(this.options.seed).then(
      () => true,
      () => false,
    );
    if (!this.able) return undefined;
    const { keys, me } = this;
    if (keys === undefined || me === undefined) return { objects: true };
    const offers = this.offers();
    return { key: signedKey(me, keys.site), objects: true, ...(offers.length === 0 ? {} : { offers }) };
  }

  /** The sealing of a copy from now on: the same for as long as it is that copy. */
  async of(rule: SealedRule, greet: () => void): Promise<CopySealing> {
    const key = workloadKey(rule.project, rule.name);
    const there = this.copies.get(key);
    if (there?.rule.incarnation === rule.incarnation) {
      there.change(rule);
      return there;
    }
    const { log } = this.options;
    const isFirst = this.keys === undefined;
    this.keys ??= await this.options.keys();
    const { me, keys } = this;
    if (me === undefined) throw new Error(`seal ${key}: this node has no store`);
    const sealing = new CopySealing(await Ring.open(this.fileOf(key), rule), { me, keys, greet, log });
    this.copies.set(key, sealing);
    // The hub is to know the key of this node.
    if (isFirst) greet();
    return sealing;
  }

  /** The sealing of a copy that is kept in step. */
  get(key: string): CopySealing | undefined {
    return this.copies.get(key);
  }

  /** Whether keys are waited for: then the hub is asked again before long. */
  get lacks(): boolean {
    return [...this.copies.values()].some(({ lacks }) => lacks);
  }

  /** The copy is here no more: its keys neither. */
  async forget(key: string): Promise<void> {
    this.copies.delete(key);
    await rm(this.fileOf(key), { force: true });
  }

  private fileOf(key: string): string {
    return join(this.options.folder, `${key}.keys`);
  }

  private get me(): Receiver | undefined {
    const store = this.options.store();
    if (store === undefined || this.keys === undefined) return undefined;
    return { site: this.options.site, store, publicKey: this.keys.publicKey };
  }

  private offers(): OfferedKey[] {
    const offers: OfferedKey[] = [];
    let wraps = 0;
    for (const { offers: of } of this.copies.values()) {
      if (wraps > WRAPS_AT_ONCE || offers.length >= LIMITS.offersPerMessage) break;
      const mine = of.take().slice(0, LIMITS.offersPerMessage - offers.length);
      offers.push(...mine);
      wraps += mine.reduce((n, offer) => n + offer.wraps.length, 0);
    }
    return offers;
  }
}
