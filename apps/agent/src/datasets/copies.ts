import { randomBytes } from 'node:crypto';
import { workloadKey, type Copy as CopyRule } from '@skerry/contracts';
import type { Log } from '../log.js';
import { Changes } from './changes.js';
import { Copy } from './copy.js';
import type { Covers } from './copy-home.js';
import { DiskRoom } from './disk-room.js';
import { Repeated } from './repeated.js';
import { StoreFolder } from './store-folder.js';

const SWEEP_MS = 60_000;
const STORE_BYTES = 8;

/** A copy with what watchers of it wait for. */
export interface Kept {
  copy: Copy;
  changes: Changes;
}

/** Where copies are. `covers`: whether a lease of the site covers a home that moves; default: never. */
interface CopiesAt {
  site: string;
  node: string;
  log: Log;
  covers?: Covers;
}

/** Every copy at this node, in one folder: `store.json` is who it is, `<project>.<dataset>.copy` what it holds. */
export class Copies {
  readonly site: string;
  readonly node: string;
  private readonly covers: Covers;
  private readonly folder: StoreFolder<CopyRule, Kept>;
  /** Datasets that were given up here, of which what was set aside stays for people. */
  private readonly givenUp = new Set<string>();
  private timer: NodeJS.Timeout | undefined;
  private readonly room: DiskRoom;
  private readonly sweeping = new Repeated(async () => await this.sweep());
  private written: (key: string) => void = () => undefined;
  private changed: (key: string, keys: readonly string[]) => void = () => undefined;

  private constructor(folder: string, { site, node, log, covers }: CopiesAt) {
    [this.site, this.node] = [site, node];
    this.covers = covers ?? (() => false);
    this.room = new DiskRoom(folder);
    this.folder = new StoreFolder(
      folder,
      {
        what: 'copy',
        open: async (at, rule) => await this.open(at, rule),
        parts: ({ copy, changes }) => ({ stored: copy, changes }),
        owes: ({ copy }) => copy.unsent > 0,
        keeps: ({ copy }) => copy.home.hasAside,
        changed: (key) => this.changed(key, []),
      },
      log,
    );
  }

  /** Opens what is on the disk. Makes nothing on the disk of a node that has no copies. */
  static async open(folder: string, of: CopiesAt): Promise<Copies> {
    const copies = new Copies(folder, of);
    await copies.folder.load();
    copies.timer = setInterval(() => copies.sweeping.ask(), SWEEP_MS).unref();
    return copies;
  }

  /** Who this node is among those that write; undefined before it had a copy. */
  get store(): string | undefined {
    return this.folder.store;
  }

  /** Whether its disk will take what is written next, as far as can be known. */
  get hasRoom(): boolean {
    return this.room.isEnough;
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
    return this.givenUp.has(key) ? undefined : this.folder.held.get(key);
  }

  /** Also one that was given up: of that nothing counts but what was set aside. */
  kept(key: string): Kept | undefined {
    return this.folder.held.get(key);
  }

  /** With those that were given up. */
  all(): [string, Kept][] {
    return [...this.folder.held];
  }

  /** What is wrong with them. */
  get trouble(): string | undefined {
    for (const { copy } of this.folder.held.values()) if (copy.problem !== undefined) return copy.problem;
    return undefined;
  }

  /** Has a copy as the rule says from now on: the same, changed, or a new one in the place of one of before. */
  async want(rule: CopyRule): Promise<Copy> {
    const { copy } = await this.folder.want(rule);
    this.givenUp.delete(workloadKey(rule.project, rule.name));
    return copy;
  }

  /** Nothing of it stays here. */
  async forget(key: string): Promise<void> {
    await this.folder.forget(key);
    this.givenUp.delete(key);
  }

  /**
   * Forgets a copy of which the hub has every write. False when it has not: then it stays. False too when something was set aside
   * there: nobody else has that, so it stays for people, and the rest is not shown any more.
   */
  async giveUp(key: string): Promise<boolean> {
    const isLeft = this.givenUp.has(key) && this.kept(key)?.copy.home.hasAside === true;
    if (isLeft) return false;
    const goes = await this.folder.giveUp(key);
    if (goes) this.givenUp.delete(key);
    else if (this.kept(key)?.copy.unsent === 0) {
      this.givenUp.add(key);
      this.changed(key, []);
    }
    return goes;
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    this.room.close();
    await this.folder.close();
  }

  private async sweep(): Promise<void> {
    for (const { copy } of this.folder.held.values()) await copy.sweep(Date.now());
  }

  private async open(
    { key, path }: { key: string; path: string },
    rule: CopyRule | undefined,
  ): Promise<Kept | undefined> {
    const changes = new Changes();
    // Of a copy that is made: in one that was here before it had written what it does not know of.
    const store = randomBytes(STORE_BYTES).toString('hex');
    const onChange = (keys: readonly string[]) => {
      changes.add(keys);
      this.changed(key, keys);
    };
    const copy = await Copy.open({ path, site: this.site, store, covers: this.covers, onChange }, rule);
    return copy && { copy, changes };
  }
}
