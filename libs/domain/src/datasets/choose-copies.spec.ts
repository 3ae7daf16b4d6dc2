import { describe, expect, it } from '@jest/globals';
import { copiesSchema, type ChosenCopy } from '@skerry/contracts';
import * as fc from 'fast-check';
import { chooseCopies, type CopySite } from './choose-copies.js';

const NOW = Date.parse('2026-01-01T00:00:00.000Z');
const site = (name: string, change: Partial<CopySite> = {}): CopySite => {
  return { name, allowed: true, ready: true, users: [], likely: 0, settled: true, ...change };
};
const copy = (name: string, change: Partial<ChosenCopy> = {}): ChosenCopy => {
  return { site: name, since: new Date(NOW).toISOString(), why: '', whole: true, ...change };
};
const names = (copies: readonly ChosenCopy[]) => copies.map((c) => c.site);
const WITH = copiesSchema.parse({ at: 'with-workloads', keepMs: 1_000 });

describe('copies that go with workloads', () => {
  it('are where workloads use them, and nowhere when none does', () => {
    const sites = [site('a'), site('b', { users: ['web'] }), site('c', { users: ['web'], allowed: false })];
    expect(names(chooseCopies({ copies: WITH, sites, present: [], nowMs: NOW }))).toEqual(['b']);
    expect(chooseCopies({ copies: WITH, sites: [site('a')], present: [], nowMs: NOW })).toEqual([]);
  });

  it('stay a while, and go when another is whole; the last one stays', () => {
    const moved = [site('a'), site('b', { users: ['web'] })];
    const at = (present: ChosenCopy[], nowMs: number, sites = moved) =>
      chooseCopies({ copies: WITH, sites, present, nowMs });
    const begun = at([copy('a')], NOW);
    expect(begun.map((c) => [c.site, c.whole, c.unusedSince !== undefined])).toEqual([
      ['a', true, true],
      ['b', false, false],
    ]);
    // The new one is not whole yet.
    expect(names(at(begun, NOW + 5_000))).toEqual(['a', 'b']);
    const whole = begun.map((c) => ({ ...c, whole: true }));
    expect(names(at(whole, NOW + 999))).toEqual(['a', 'b']);
    expect(names(at(whole, NOW + 1_000))).toEqual(['b']);
    expect(names(at([copy('a')], NOW + 60_000, [site('a')]))).toEqual(['a']);
  });

  it('that hold what the hub has not got stay', () => {
    const sites = [site('a', { settled: false }), site('b', { users: ['web'] })];
    const present = [copy('a', { unusedSince: new Date(0).toISOString() }), copy('b')];
    expect(names(chooseCopies({ copies: WITH, sites, present, nowMs: NOW }))).toEqual(['a', 'b']);
  });
});

describe('so many copies', () => {
  const copies = copiesSchema.parse({ min: 2, max: 3, keepMs: 0 });
  it('are at least so many, where they are likely to be needed', () => {
    const sites = [site('a'), site('b', { likely: 2 }), site('c', { likely: 1 })];
    expect(names(chooseCopies({ copies, sites, present: [], nowMs: NOW }))).toEqual(['b', 'c']);
  });

  it('are no more than so many, however many use them', () => {
    const sites = ['a', 'b', 'c', 'd', 'e'].map((name) => site(name, { users: ['web'] }));
    expect(chooseCopies({ copies, sites, present: [], nowMs: NOW })).toHaveLength(3);
  });

  it('that were found and that nobody uses take no place of one that is used', () => {
    const sites = ['a', 'b', 'c'].map((name) => site(name));
    const present = sites.map(({ name }) => copy(name, { found: true }));
    const used = [...sites, site('e', { users: ['web'] })];
    expect(names(chooseCopies({ copies, sites: used, present, nowMs: NOW }))).toEqual(['a', 'b', 'c', 'e']);
  });

  it('are replaced where a site is away, which keeps its own until it is back', () => {
    const sites = [site('a', { ready: false }), site('b'), site('c')];
    const now = chooseCopies({ copies, sites, present: [copy('a'), copy('b')], nowMs: NOW });
    expect(names(now)).toEqual(['a', 'b', 'c']);
    const back = sites.map((s) => ({ ...s, ready: true }));
    const whole = now.map((c) => ({ ...c, whole: true }));
    expect(chooseCopies({ copies, sites: back, present: whole, nowMs: NOW + 1 })).toHaveLength(2);
  });
});

describe('whatever happens', () => {
  const sites = fc.array(
    fc.record({
      allowed: fc.boolean(),
      ready: fc.boolean(),
      users: fc.subarray(['web', 'db']),
      likely: fc.integer({ min: 0, max: 2 }),
      whole: fc.option(fc.boolean(), { nil: undefined }),
      settled: fc.boolean(),
    }),
    { maxLength: 7 },
  );
  const scene = fc.record({
    at: fc.constantFrom('everywhere', 'with-workloads'),
    min: fc.integer({ min: 1, max: 4 }),
    more: fc.integer({ min: 0, max: 3 }),
    sites,
    present: fc.subarray([0, 1, 2, 3, 4, 5, 6]),
    nowMs: fc.constantFrom(NOW, NOW + 10_000_000),
  });

  it('a copy is only where it may be; no whole one is given up that is needed; and the choice stands', () => {
    fc.assert(
      fc.property(scene, (made) => {
        const all = made.sites.map((s, i) => site(`s${i}`, s));
        const present = made.present.map((n) => copy(`s${n}`, { unusedSince: new Date(NOW).toISOString() }));
        const copies = copiesSchema.parse({ at: made.at, min: made.min, max: made.min + made.more });
        const choose = (before: readonly ChosenCopy[], order = all) =>
          chooseCopies({ copies, sites: order, present: before, nowMs: made.nowMs });
        const next = choose(present);
        const allowed = new Set(all.filter((s) => s.allowed).map((s) => s.name));
        expect(names(next).every((name) => allowed.has(name))).toBe(true);
        expect(new Set(names(next)).size).toBe(next.length);
        const isHealthy = (c: ChosenCopy) => {
          const at = all.find((s) => s.name === c.site);
          return at?.ready === true && (at.whole ?? c.whole);
        };
        const before = present.filter((c) => allowed.has(c.site) && isHealthy(c)).length;
        const after = next.filter(isHealthy).length;
        expect(after).toBeGreaterThanOrEqual(Math.min(before, made.min));
        expect(choose(next)).toEqual(next);
        expect(choose(present, all.toReversed())).toEqual(next);
      }),
      { numRuns: 200 },
    );
  });
});
