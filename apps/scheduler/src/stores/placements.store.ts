import { Inject, Injectable } from '@nestjs/common';
import type { Bucket, BucketChange, Bus, Headers } from '@skerry/bus';
import {
  BUCKETS,
  compareVersions,
  EPOCH_KEY,
  HEADERS,
  formatVersion,
  placementsValueSchema,
  storedAs,
  type Placement,
  type PlacementsValue,
} from '@skerry/contracts';
import { BUS } from '@skerry/service';
import { keyOf } from './workloads.store.js';

/** What is placed: committed, as every instance follows it, and what the active one has sent off and not seen yet. */
@Injectable()
export class PlacementsStore {
  private readonly bucket: Bucket<PlacementsValue>;
  private readonly committed = new Map<string, Placement>();
  private readonly sent = new Map<string, Placement>();
  private readonly byProject = new Map<string, Set<string>>();
  /** Of those that wait for an end somewhere, and of some that did. */
  private readonly awaiting = new Set<string>();
  private epochSeen = 0;
  private termSeen = 1;
  private readonly waiting = new Set<() => void>();

  constructor(@Inject(BUS) bus: Bus) {
    this.bucket = bus.bucket(BUCKETS.placements, storedAs(placementsValueSchema));
  }

  /** Takes a change of the bucket; returns the key whose placement is now another than was known here. */
  apply(change: BucketChange<PlacementsValue>): string | undefined {
    const { key } = change;
    if (key === EPOCH_KEY) {
      if (change.kind === 'put' && change.value.kind === 'Epoch')
        this.termSeen = Math.max(this.termSeen, change.value.term ?? 1);
      this.sawEpoch(change.revision);
      return undefined;
    }
    if (change.kind === 'gone') {
      this.committed.delete(key);
      this.byProject.get(projectOf(key))?.delete(key);
      return this.sent.has(key) ? undefined : key;
    }
    if (change.kind === 'malformed' || change.value.kind === 'Epoch') return undefined;
    this.committed.set(key, change.value);
    this.belongs(key);
    if (change.value.after !== undefined) this.awaiting.add(key);
    const sent = this.sent.get(key);
    if (sent === undefined) return key;
    if (compareVersions(change.value.version, sent.version) >= 0) this.sent.delete(key);
    return undefined;
  }

  /** The newest known: sent off here, else committed. */
  get(key: string): Placement | undefined {
    return this.sent.get(key) ?? this.committed.get(key);
  }

  /** What the workloads of a project cost together, currency units a month, without one of them. */
  costOf(project: string, except: string): number {
    let sum = 0;
    for (const key of this.byProject.get(project) ?? []) {
      if (key !== except) sum += this.get(key)?.costPerMonth ?? 0;
    }
    return sum;
  }

  /** Every workload that anything was decided for. */
  keys(): Iterable<string> {
    return new Set([...this.committed.keys(), ...this.sent.keys()]);
  }

  /** What begins only when a site has ended it (`Placement.after`). */
  waitingFor(site: string): string[] {
    return [...this.awaiting].filter((key) => {
      const after = this.get(key)?.after;
      if (after === undefined) this.awaiting.delete(key);
      return after?.includes(site) === true;
    });
  }

  /** Sequence of the newest epoch seen; 0 before the first. */
  get epoch(): number {
    return this.epochSeen;
  }

  /** The hub's term: what a restore has left here, and at least `least`. */
  term(least: number): number {
    return Math.max(least, this.termSeen);
  }

  /**
   * Becomes the one who may write: from now on the server refuses every earlier one. Resolves with the fence when all that
   * they have written is known here. Fails with `Conflict` when another instance was faster.
   */
  async takeOver(
    { instance, hubTerm }: { instance: string; hubTerm: number },
    timeoutMs: number,
  ): Promise<number> {
    const term = this.term(hubTerm);
    const mark = { kind: 'Epoch' as const, instance, at: new Date().toISOString() };
    const value = term === 1 ? mark : { ...mark, term };
    const fence = await this.bucket.put(EPOCH_KEY, value, this.epochSeen);
    await this.reached(fence, timeoutMs);
    return fence;
  }

  /** Counts a placement as made though the server has not said so yet. */
  send(placement: Placement): void {
    this.sent.set(keyOf(placement), placement);
    this.belongs(keyOf(placement));
    if (placement.after !== undefined) this.awaiting.add(keyOf(placement));
  }

  /** Commits by the fence. Fails with `Conflict` when another instance has taken over. */
  async commit(placement: Placement, fence: number, change: string, headers: Headers): Promise<void> {
    const extra = { [HEADERS.version]: formatVersion(placement.version), [HEADERS.change]: change };
    const write = { headers: { ...headers, ...extra } };
    await this.bucket.putFenced(keyOf(placement), placement, { key: EPOCH_KEY, revision: fence }, write);
  }

  /** Drops what was sent off and not seen again; returns the keys. What did reach the server still comes by the follow. */
  forgetSent(): string[] {
    const keys = [...this.sent.keys()];
    this.sent.clear();
    return keys;
  }

  private belongs(key: string): void {
    const keys = this.byProject.get(projectOf(key)) ?? new Set<string>();
    this.byProject.set(projectOf(key), keys.add(key));
  }

  private sawEpoch(revision: number): void {
    this.epochSeen = Math.max(this.epochSeen, revision);
    for (const look of this.waiting) look();
  }

  private async reached(revision: number, timeoutMs: number): Promise<void> {
    if (this.epochSeen >= revision) return;
    await new Promise<void>((resolve, refuse) => {
      const look = () => {
        if (this.epochSeen < revision) return;
        end();
        resolve();
      };
      const timer = setTimeout(() => {
        end();
        refuse(new Error(`placements up to epoch ${revision} not seen within ${timeoutMs} ms`));
      }, timeoutMs);
      const end = () => {
        clearTimeout(timer);
        this.waiting.delete(look);
      };
      this.waiting.add(look);
    });
  }
}

function projectOf(key: string): string {
  return key.slice(0, key.indexOf('.'));
}
