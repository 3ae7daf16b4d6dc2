import { describe, expect, it } from '@jest/globals';
import type { DatasetHome, Holder } from '@skerry/contracts';
import * as fc from 'fast-check';
import { decideHome, endedEpoch, laterHolder, mayWrite } from './home.js';

const SITES = ['a', 'b', 'c'];
const REF = { project: 'p', name: 'd', incarnation: 1 };

/** One copy at each site, and what the hub has told it; words are late, lost and come again. */
class Cloud {
  home: DatasetHome | undefined;
  owner = { site: 'a', owner: 1, losses: 0 };
  readonly holders = new Map<string, Holder>();
  readonly words: { site: string; holder: Holder }[] = [];
  /** By epoch, who ever could write in it. */
  readonly wrote = new Map<number, Set<string>>();
  /** Sites whose lease is over: they write no more, whatever they know. */
  readonly dark = new Set<string>();

  step(kind: number, at: number): void {
    const site = SITES[at % SITES.length] ?? 'a';
    if (kind === 0) this.owner = { site, owner: this.owner.owner + 1, losses: 0 };
    if (kind === 1) this.decide();
    if (kind === 2) this.greet(site);
    if (kind === 3) this.hear(at);
    if (kind === 4) this.dark.add(site);
    if (kind === 5) this.dark.delete(site);
    this.write();
  }

  private decide(): void {
    const before = this.home;
    const old = {
      hasEnded: (store: string) => this.ended(store) >= (before?.epoch ?? 0),
      leaseOver: before !== undefined && this.owner.site !== before.site && this.dark.has(before.site),
    };
    const next = decideHome(before, this.owner, old, { floor: 0, at: '', ref: REF });
    if (next === undefined) return;
    // What was lost may own again only when it is told so after the loss.
    if (old.leaseOver) this.holders.delete(before?.site ?? '');
    this.home = next;
    for (const site of SITES) this.words.push({ site, holder: this.told(site) });
  }

  private greet(site: string): void {
    if (this.home === undefined) return;
    const copy = { site, cursor: 0, unsent: 0, ended: this.ended(site) };
    if (mayWrite(this.home, copy, 0) && !this.home.stores.includes(site))
      this.home = { ...this.home, stores: [...this.home.stores, site] };
    this.words.push({ site, holder: this.told(site) });
  }

  private hear(at: number): void {
    const word = this.words[at % Math.max(1, this.words.length)];
    if (word === undefined) return;
    const next = laterHolder(this.holders.get(word.site), word.holder);
    if (next !== undefined) this.holders.set(word.site, next);
  }

  private told(site: string): Holder {
    const { home } = this;
    if (home === undefined) return { with: 'w', epoch: 0, losses: 0 };
    const { epoch, losses, closing } = home;
    const pen = closing === undefined && home.stores.includes(site);
    return {
      with: 'w',
      site: home.site,
      epoch,
      losses,
      ...(closing && { closing }),
      ...(pen ? { pen } : {}),
    };
  }

  private ended(site: string): number {
    const holder = this.holders.get(site);
    return holder === undefined ? 0 : endedEpoch(holder);
  }

  private write(): void {
    for (const [site, holder] of this.holders)
      if (holder.pen === true && holder.site === site && !this.dark.has(site))
        this.wrote.set(holder.epoch, (this.wrote.get(holder.epoch) ?? new Set()).add(site));
  }
}

describe('homes, whatever is lost, late or heard again', () => {
  const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.nat(50)), { maxLength: 200 });

  it('never are two in one epoch, and epochs only rise', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const cloud = new Cloud();
        let epoch = 0;
        for (const [kind, at] of all) {
          cloud.step(kind, at);
          const now = cloud.home?.epoch ?? 0;
          expect(now).toBeGreaterThanOrEqual(epoch);
          epoch = now;
        }
        for (const sites of cloud.wrote.values()) expect(sites.size).toBe(1);
      }),
    );
  });

  it('where no lease ever ends by itself, nobody writes in an epoch after the next has begun', () => {
    const living = fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.nat(50)), { maxLength: 200 });
    fc.assert(
      fc.property(living, (all) => {
        const cloud = new Cloud();
        for (const [kind, at] of all) {
          cloud.step(kind, at);
          const writing = [...cloud.holders].filter(([site, h]) => h.pen === true && h.site === site);
          for (const [, holder] of writing) expect(holder.epoch).toBe(cloud.home?.epoch);
        }
      }),
    );
  });

  it('what a copy goes by is the same in whatever order it is told', () => {
    const holder = fc.record({
      epoch: fc.integer({ min: 1, max: 3 }),
      closing: fc.boolean(),
      pen: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(holder, { maxLength: 6 }), (words) => {
        const holders = words.map(({ epoch, closing, pen }): Holder => {
          const mark = closing ? { closing: true as const } : pen ? { pen: true as const } : {};
          return { with: 'w', site: `s${epoch}`, epoch, losses: 0, ...mark };
        });
        const inOrder = holders.reduce<Holder | undefined>((a, b) => laterHolder(a, b), undefined);
        const turned = holders
          .toReversed()
          .reduce<Holder | undefined>((a, b) => laterHolder(a, b), undefined);
        expect(turned).toEqual(inOrder);
      }),
    );
  });
});
