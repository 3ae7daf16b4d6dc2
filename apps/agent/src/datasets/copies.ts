import { randomBytes } from 'node:crypto';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { storeSchema, workloadKey, type Copy as CopyRule } from '@skerry/contracts';
import { z } from 'zod';
import { readJson, writeAtomic } from '../files/atomic-file.js';
import { reason, type Log } from '../log.js';
import { Changes } from './changes.js';
import { Copy } from './copy.js';
import { Repeated } from './repeated.js';

const SWEEP_MS = 60_000;
const ENDING = '.copy';
const storeFile = z.strictObject({ store: storeSchema });

/** A copy with what watchers of it wait for. */
export interface Kept {
  copy: Copy;
  changes: Changes;
}

/** Every copy at this node, in one folder: `store.json` is who it is, `<project>.<dataset>.copy` what it holds. */
export class Copies {
  private readonly kept = new Map<string, Kept>();
  private turn: Promise<unknown> = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;
  private readonly sweeping = new Repeated(async () => await this.sweep());
  private written: (key: string) => void = () => undefined;
  private changed: (key: string, keys: readonly string[]) => void = () => undefined;

  private constructor(
    private readonly folder: string,
    readonly site: string,
    readonly node: string,
    private known: string | undefined,
    private readonly log: Log,
  ) {}

  /** Opens what is on the disk. Makes nothing on the disk of a node that has no copies. */
  static async open(folder: string, of: { site: string; node: string; log: Log }): Promise<Copies> {
    const kept = storeFile.safeParse(await readJson(join(folder, 'store.json')).catch(() => undefined));
    const store = kept.success ? kept.data.store : undefined;
    const copies = new Copies(folder, of.site, of.node, store, of.log);
    const files = kept.success ? await readdir(folder).catch(() => []) : [];
    for (const file of files.filter((f) => f.endsWith(ENDING))) await copies.load(file);
    copies.timer = setInterval(() => copies.sweeping.ask(), SWEEP_MS).unref();
    return copies;
  }

  /** Who this node is among those that write; undefined before it had a copy. */
  get store(): string | undefined {
    return this.known;
  }

  /** Called with the key of each dataset that was written to here. */
  onWrite(listener: (key: string) => void): void {
    this.written = listener;
  }

  /** Called with each dataset whose keys show something else; without keys its rule changed, or it is here no more. */
  onChange(listener: (key: string, keys: readonly string[]) => void): void {
    this.changed = listener;
  }

  /** Something was written here that is to go up. */
  wrote(key: string): void {
    this.written(key);
  }

  get(key: string): Kept | undefined {
    return this.kept.get(key);
  }

  all(): [string, Kept][] {
    return [...this.kept];
  }

  /** What is wrong with them. */
  get trouble(): string | undefined {
    for (const { copy } of this.kept.values()) if (copy.problem !== undefined) return copy.problem;
    return undefined;
  }

  /** Has a copy as the rule says from now on: the same, changed, or a new one in the place of one of before. */
  async want(rule: CopyRule): Promise<Copy> {
    return await this.inTurn(async () => await this.wantNow(rule));
  }

  /** Nothing of it stays here. */
  async forget(key: string): Promise<void> {
    await this.inTurn(async () => await this.forgetNow(key));
  }

  private async wantNow(rule: CopyRule): Promise<Copy> {
    const key = workloadKey(rule.project, rule.name);
    const there = this.kept.get(key);
    if (there?.copy.rule.incarnation === rule.incarnation) {
      await there.copy.change(rule);
      this.changed(key, []);
      return there.copy;
    }
    if (there !== undefined) await this.forgetNow(key);
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    if (this.known === undefined) {
      const store = randomBytes(8).toString('hex');
      await writeAtomic(join(this.folder, 'store.json'), JSON.stringify({ store }));
      this.known = store;
    }
    const copy = await this.make(key, rule);
    if (copy === undefined) throw new Error(`make the copy ${key}`);
    this.log.info('a copy is kept here from now on', { dataset: key });
    this.changed(key, []);
    return copy;
  }

  private async forgetNow(key: string): Promise<void> {
    const there = this.kept.get(key);
    if (there === undefined) return;
    this.kept.delete(key);
    there.changes.end();
    await there.copy.forget();
    this.changed(key, []);
    this.log.info('a copy is kept here no more', { dataset: key });
  }

  /** Forgets a copy of which the hub has every write. False when it has not: then it stays. */
  async giveUp(key: string): Promise<boolean> {
    const there = this.kept.get(key);
    if (there === undefined || there.copy.unsent > 0) return there === undefined;
    // No write begins from here on, and those that had begun are on the disk.
    this.kept.delete(key);
    await there.copy.close();
    const sent = there.copy.unsent === 0;
    if (sent) this.kept.set(key, there);
    else await this.make(key);
    if (sent) await this.forget(key);
    else there.changes.end();
    return sent;
  }

  /** One after the other: news come many at once, and who this node is is drawn once. */
  private async inTurn<T>(task: () => Promise<T>): Promise<T> {
    const mine = this.turn.then(task);
    this.turn = mine.catch(() => undefined);
    return await mine;
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.turn;
    for (const { copy, changes } of this.kept.values()) {
      changes.end();
      await copy.close();
    }
  }

  private async sweep(): Promise<void> {
    for (const { copy } of this.kept.values()) await copy.sweep(Date.now());
  }

  private async load(file: string): Promise<void> {
    try {
      await this.make(file.slice(0, -ENDING.length));
    } catch (error) {
      // The hub gives it again; what was not sent yet lies in the file for people.
      this.log.error('a copy cannot be read', { alarm: 'copy-damaged', file, reason: reason(error) });
    }
  }

  private async make(key: string, rule?: CopyRule): Promise<Copy | undefined> {
    const changes = new Changes();
    const path = join(this.folder, `${key}${ENDING}`);
    const { site, known: store = '' } = this;
    const onChange = (keys: readonly string[]) => {
      changes.add(keys);
      this.changed(key, keys);
    };
    const copy = await Copy.open({ path, site, store, onChange }, rule);
    if (copy !== undefined) this.kept.set(key, { copy, changes });
    return copy;
  }
}
