import { randomBytes } from 'node:crypto';
import { LIMITS, type Copy, type ToldKey } from '@skerry/contracts';
import { keyAreaOf, newestKey } from '@skerry/domain';
import { z } from 'zod';
import { readJson, writeAtomic } from '../files/atomic-file.js';
import type { HeldKey } from './record-box.js';

const SECRET_BYTES = 32;
const fileSchema = z.strictObject({
  incarnation: z.number(),
  keys: z
    .array(z.strictObject({ id: z.string(), area: z.string(), secret: z.string() }))
    .max(LIMITS.dataKeysPerDataset),
});

/** What of the rule of a copy, or of a log, its keys depend on. */
export type SealedRule = Pick<Copy, 'project' | 'name' | 'incarnation' | 'residency' | 'area' | 'objects'>;

/** The keys of one dataset that this node has: in memory, and in a file beside the copy, whose records lie there in clear too. */
export class Ring {
  /** What the hub said last of the dataset's keys; undefined: nothing yet. */
  told: ReadonlyMap<string, ToldKey> | undefined;
  /** Keys of records that came and could not be opened. */
  readonly missed = new Set<string>();
  /** Keys that there were and that were not here when the hub said so first: what came before may be sealed with them. */
  readonly lackedAtFirst = new Set<string>();
  /** One that is offered, and in use once the hub lists it. */
  private drawn: HeldKey | undefined;

  private constructor(
    private readonly path: string,
    private known: SealedRule,
    private readonly held: Map<string, HeldKey>,
  ) {}

  static async open(path: string, rule: SealedRule): Promise<Ring> {
    const { project, name, incarnation } = rule;
    const kept = fileSchema.safeParse(await readJson(path).catch(() => undefined));
    const keys = kept.success && kept.data.incarnation === incarnation ? kept.data.keys : [];
    const held = keys.map(({ id, area, secret }): [string, HeldKey] => [
      id,
      { project, name, incarnation, area, id, secret: Buffer.from(secret, 'base64') },
    ]);
    return new Ring(path, rule, new Map(held));
  }

  /** What the copy, or log, goes by now, also when that is older since the hub has lost a newer one: others may have its keys. */
  change(rule: SealedRule): void {
    this.known = rule;
  }

  get rule(): SealedRule {
    return this.known;
  }

  /** Whose records are written here. */
  get area(): string {
    return this.rule.area ?? keyAreaOf(this.rule.residency, { jurisdictions: [] }) ?? '*';
  }

  get(id: string): HeldKey | undefined {
    return this.held.get(id);
  }

  all(): HeldKey[] {
    return [...this.held.values()];
  }

  /** What is sealed with: the newest that the hub lists, that this node has, and that no site has which may not. */
  get current(): HeldKey | undefined {
    const usable = this.valid().filter(({ id }) => this.held.has(id));
    const newest = newestKey(usable);
    return newest && this.held.get(newest.id);
  }

  /**
   * What chunks are sealed with, which are when they are written: as `current`; while the hub was not heard since this node began, the
   * key that was gained last, so that a site alone takes objects. A site may have it by then that may not any more.
   */
  get forChunks(): HeldKey | undefined {
    if (this.told !== undefined) return this.current;
    return this.all().findLast(({ area }) => area === this.area);
  }

  /** Keys that records are sealed with from now on, whoever has them. */
  valid(): ToldKey[] {
    return [...(this.told?.values() ?? [])].filter(({ over, area }) => over !== true && area === this.area);
  }

  /** A key of its own; the same until it is in use. */
  draw(): HeldKey {
    const { project, name, incarnation } = this.rule;
    const { area } = this;
    if (this.drawn?.area !== area)
      this.drawn = {
        project,
        name,
        incarnation,
        area,
        id: randomBytes(16).toString('hex'),
        secret: randomBytes(SECRET_BYTES),
      };
    return this.drawn;
  }

  /** The hub lists the one that was drawn: it is in use, and on the disk before anything is sealed with it. */
  async adopt(listed: (id: string) => boolean): Promise<void> {
    const { drawn } = this;
    if (drawn === undefined || !listed(drawn.id)) return;
    this.drawn = undefined;
    await this.add([drawn]);
  }

  async add(keys: readonly HeldKey[]): Promise<void> {
    if (keys.length === 0) return;
    for (const key of keys) {
      this.held.set(key.id, key);
      this.missed.delete(key.id);
    }
    const lines = this.all().map(({ id, area, secret }) => ({ id, area, secret: secret.toString('base64') }));
    await writeAtomic(this.path, JSON.stringify({ incarnation: this.rule.incarnation, keys: lines }));
  }
}
