import { mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import {
  isWorkloadObject,
  parseAcross,
  type Desired,
  type Access,
  type NodeRules,
  type Override,
} from '@skerry/contracts';
import { readJson } from '../files/atomic-file.js';
import { DurableFolder } from '../files/durable-folder.js';
import { reason, type Log } from '../log.js';
import { under, withChange, without } from './local-change.js';
import {
  ACCESS,
  compareObjects,
  heldObjectSchema,
  hubObjectOf,
  keyOf,
  NODE_RULES,
  RETIREMENT,
  type HeldObject,
} from './held-object.js';

/** What became of an offered object: only `newer` changed anything. */
export type Offered = 'newer' | 'same' | 'older';

/**
 * What is wanted of this site, on its own disk: one file a workload, newest version wins, tombstones kept. This is
 * what a node starts from when neither the hub nor the site's own server is there.
 */
export class DesiredStore {
  private readonly held = new Map<string, HeldObject>();
  private readonly folder: DurableFolder;

  /** Why nothing new can be kept, as long as that is so. */
  trouble: string | undefined;

  private constructor(
    private readonly places: { desired: string; quarantine: string },
    private readonly log: Log,
  ) {
    this.folder = new DurableFolder(places.desired);
  }

  /** Reads what the folder holds. A damaged file is set aside and named in the log; the digest exchange brings it again. */
  static async open(places: { desired: string; quarantine: string }, log: Log): Promise<DesiredStore> {
    await mkdir(places.desired, { recursive: true, mode: 0o700 });
    const store = new DesiredStore(places, log);
    for (const file of await readdir(places.desired)) {
      if (file.endsWith('.json')) await store.load(file);
    }
    return store;
  }

  get(key: string): HeldObject | undefined {
    return this.held.get(key);
  }

  /** Workloads' objects, without those of the site as such. */
  entries(): [string, HeldObject][] {
    return [...this.held].filter(([, { object }]) => isWorkloadObject(object));
  }

  keys(): string[] {
    return this.entries().map(([key]) => key);
  }

  /** What is wanted of the site as such. */
  siteObjects(): Desired[] {
    return [...this.held.values()].flatMap(({ object }) => (isWorkloadObject(object) ? [] : [object]));
  }

  /** What operators want of the site's nodes; undefined when nothing was said. */
  get nodeRules(): NodeRules | undefined {
    const object = this.held.get(NODE_RULES)?.object;
    return object?.kind === 'NodeRules' ? object : undefined;
  }

  /** Who may act here without the hub; undefined when nothing was delivered yet. */
  get access(): Access | undefined {
    const object = this.held.get(ACCESS)?.object;
    return object?.kind === 'Access' ? object : undefined;
  }

  /** Workloads' objects. */
  get size(): number {
    return this.entries().length;
  }

  get retirement(): Desired | undefined {
    return this.held.get(RETIREMENT)?.object;
  }

  /** Takes an object unless one as new is held; resolves when it is on the disk. Objects of other sites are the caller's to refuse. */
  async offer(
    object: Desired,
    origin: { traceparent?: string; fallback?: HeldObject['fallback'] } = {},
  ): Promise<Offered> {
    const key = keyOf(object);
    const present = this.held.get(key);
    const known = present && hubObjectOf(present);
    const order = known === undefined ? 1 : compareObjects(object, known);
    if (order < 0) return 'older';
    if (order === 0) return 'same';
    const held = {
      ...under(object, present?.override?.change),
      ...(origin.traceparent === undefined ? {} : { traceparent: origin.traceparent }),
      ...(origin.fallback === undefined ? {} : { fallback: origin.fallback }),
      ...cronFrom(object, present, Date.now()),
    };
    try {
      await this.set(key, held);
    } catch (cause) {
      // Not held after all, so that it is taken when it comes again.
      if (this.held.get(key) === held) this.restore(key, present);
      this.trouble = `its disk takes nothing new: ${reason(cause)}`;
      throw new Error(`keep ${key} on the disk`, { cause });
    }
    this.trouble = undefined;
    return 'newer';
  }

  /**
   * Puts a local change over what the hub wants, or takes it away; resolves when that is on the disk. False when it does not
   * stand: the hub wants something newer than it was made over.
   */
  async override(key: string, change: Override | undefined): Promise<boolean> {
    const present = this.held.get(key);
    const next = change === undefined ? without(present) : withChange(present, change);
    if (next !== undefined) await this.set(key, next);
    return this.held.get(key)?.override?.change.proposal === change?.proposal;
  }

  /** Replaces what is held under a key; resolves when it is on the disk. */
  async set(key: string, held: HeldObject): Promise<void> {
    this.held.set(key, held);
    await this.persist(key);
  }

  /** Forgets a key, on the disk too: only for tombstones long acknowledged. */
  async drop(key: string): Promise<void> {
    this.held.delete(key);
    await this.persist(key);
  }

  /** Resolves when everything is on the disk. */
  async settled(): Promise<void> {
    await this.folder.settled();
  }

  private restore(key: string, held: HeldObject | undefined): void {
    if (held === undefined) this.held.delete(key);
    else this.held.set(key, held);
  }

  private async persist(key: string): Promise<void> {
    await this.folder.keep(`${key}.json`, () => {
      const held = this.held.get(key);
      return held && JSON.stringify(held);
    });
  }

  private async load(file: string): Promise<void> {
    const path = join(this.places.desired, file);
    try {
      const parsed = parseAcross(heldObjectSchema, await readJson(path));
      if (!parsed.ok) throw new Error(`${parsed.issues[0]?.path}: ${parsed.issues[0]?.problem}`);
      if (file !== `${keyOf(parsed.value.object)}.json`) throw new Error('it holds another object');
      this.held.set(keyOf(parsed.value.object), parsed.value);
    } catch (error) {
      await mkdir(this.places.quarantine, { recursive: true, mode: 0o700 });
      await rename(path, join(this.places.quarantine, `${file}.${Date.now()}`));
      this.log.error('a desired object on the disk was damaged: set aside, asked for again', {
        alarm: 'desired-damaged',
        file,
        reason: reason(error),
      });
    }
  }
}

/** Runs of a cron count from when its schedule came here, over restarts and newer versions with the same schedule. */
function cronFrom(
  object: Desired,
  present: HeldObject | undefined,
  now: number,
): Pick<HeldObject, 'cronFrom'> {
  if (object.kind !== 'Assignment' || object.cron === undefined) return {};
  const before = present?.object.kind === 'Assignment' ? present.object.cron : undefined;
  const same = before?.schedule === object.cron.schedule && before.timeZone === object.cron.timeZone;
  return { cronFrom: same ? (present?.cronFrom ?? now) : now };
}
