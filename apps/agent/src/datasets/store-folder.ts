import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { storeSchema, workloadKey, type DatasetRef } from '@skerry/contracts';
import { z } from 'zod';
import { readJson, writeAtomic } from '../files/atomic-file.js';
import { Limiter } from '../files/limiter.js';
import { reason, type Log } from '../log.js';
import type { Changes } from './changes.js';

const STORE = 'store.json';
/** What the file of the keys of an encrypted one ends with. */
const KEYS = '.keys';
const storeFile = z.strictObject({ store: storeSchema });

/** What is kept on the disk of one dataset. */
export interface Stored<Rule> {
  readonly rule: Rule;
  change(rule: Rule): Promise<void>;
  /** Nothing of it stays on the disk. */
  forget(): Promise<void>;
  close(): Promise<void>;
}

/** What lies in a folder. */
export interface StoredKind<Rule, Held> {
  /** What one is called, and what its name ends with. */
  what: 'copy' | 'log';
  /** Opens what is there, or makes it by the rule; undefined when there is nothing and no rule. */
  open: (at: { key: string; path: string; store: string }, rule?: Rule) => Promise<Held | undefined>;
  parts: (held: Held) => { stored: Stored<Rule>; changes: Changes };
  /** Whether something was written to it here that the hub has not got. */
  owes: (held: Held) => boolean;
  /** Whether it has what nobody else has and stays for people. Default: never. */
  keeps?: (held: Held) => boolean;
  /** One is here now, has another rule, or is here no more. */
  changed?: (key: string) => void;
}

/** Datasets of one kind at this node, in one folder: `store.json` is who it is, `<project>.<dataset>.<what>` what it holds. */
export class StoreFolder<Rule extends DatasetRef, Held> {
  readonly held = new Map<string, Held>();
  private known: string | undefined;
  /** One after the other: news come many at once, and who this node is is drawn once. */
  private readonly turns = new Limiter(1);

  constructor(
    private readonly folder: string,
    private readonly kind: StoredKind<Rule, Held>,
    private readonly log: Log,
  ) {}

  /** Who this node is among those that write; undefined before it had one. */
  get store(): string | undefined {
    return this.known;
  }

  /** Opens what is on the disk. Makes nothing on the disk of a node that has none. */
  async load(): Promise<void> {
    const kept = storeFile.safeParse(await readJson(join(this.folder, STORE)).catch(() => undefined));
    if (!kept.success) return;
    this.known = kept.data.store;
    const ending = `.${this.kind.what}`;
    const names: string[] = await readdir(this.folder).catch(() => []);
    for (const name of names.filter((n) => n.endsWith(ending)))
      await this.tryOpen(name.slice(0, -ending.length));
    // A kill came after one had gone, and before its keys had.
    const left = names.filter(
      (n) => n.endsWith(KEYS) && !names.includes(`${n.slice(0, -KEYS.length)}${ending}`),
    );
    for (const name of left) await rm(join(this.folder, name), { force: true });
  }

  /** Has one as the rule says from now on: the same, changed, or a new one in the place of one of before. */
  async want(rule: Rule): Promise<Held> {
    return await this.turns.run(async () => await this.wantNow(rule));
  }

  /** Nothing of it stays here. */
  async forget(key: string): Promise<void> {
    await this.turns.run(async () => await this.forgetNow(key));
  }

  /** Forgets one of which the hub has every write. False when it has not, or something of it stays for people: then it is here still. */
  async giveUp(key: string): Promise<boolean> {
    const { held } = this;
    const { owes, keeps, parts } = this.kind;
    const there = held.get(key);
    if (there === undefined || owes(there)) return there === undefined;
    const { stored, changes } = parts(there);
    // No write begins from here on, and those that had begun are on the disk.
    held.delete(key);
    await stored.close();
    const goes = !owes(there) && keeps?.(there) !== true;
    if (goes) held.set(key, there);
    else await this.open(key);
    if (goes) await this.forget(key);
    else changes.end();
    return goes;
  }

  /** Opens what is on the disk of one, or makes it. */
  async open(key: string, rule?: Rule): Promise<Held | undefined> {
    const { what, open } = this.kind;
    const path = join(this.folder, `${key}.${what}`);
    const held = await open({ key, path, store: this.known ?? '' }, rule);
    if (held !== undefined) this.held.set(key, held);
    return held;
  }

  async close(): Promise<void> {
    await this.turns.run(async () => await Promise.resolve());
    for (const held of this.held.values()) {
      const { stored, changes } = this.kind.parts(held);
      changes.end();
      await stored.close();
    }
  }

  private async wantNow(rule: Rule): Promise<Held> {
    const { what, parts, changed } = this.kind;
    const key = workloadKey(rule.project, rule.name);
    const there = this.held.get(key);
    if (there !== undefined && parts(there).stored.rule.incarnation === rule.incarnation) {
      await parts(there).stored.change(rule);
      changed?.(key);
      return there;
    }
    await this.forgetNow(key);
    await this.drawStore();
    const held = await this.open(key, rule);
    if (held === undefined) throw new Error(`make the ${what} ${key}`);
    this.log.info(`a ${what} is kept here from now on`, { dataset: key });
    changed?.(key);
    return held;
  }

  private async forgetNow(key: string): Promise<void> {
    const { what, parts, changed } = this.kind;
    const there = this.held.get(key);
    if (there === undefined) return;
    const { stored, changes } = parts(there);
    this.held.delete(key);
    changes.end();
    await stored.forget();
    changed?.(key);
    this.log.info(`a ${what} is kept here no more`, { dataset: key });
  }

  private async drawStore(): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    if (this.known !== undefined) return;
    const store = randomBytes(8).toString('hex');
    await writeAtomic(join(this.folder, STORE), JSON.stringify({ store }));
    this.known = store;
  }

  private async tryOpen(key: string): Promise<void> {
    const { what } = this.kind;
    try {
      await this.open(key);
    } catch (error) {
      // The hub gives it again; what was not sent yet stays on the disk for people.
      this.log.error(`a ${what} cannot be read`, {
        alarm: `${what}-damaged`,
        dataset: key,
        reason: reason(error),
      });
    }
  }
}
