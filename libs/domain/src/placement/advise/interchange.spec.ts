import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { gatherUsers, SEARCHED_USERS_MAX } from './gather-users.js';
import { interchange, withOneMore, type OpenProblem } from './interchange.js';

/** What a set costs, from the definition. */
function costOf({ fixed, demand, costs }: OpenProblem, open: readonly number[]): number {
  const users = demand.reduce(
    (sum, weight, p) => sum + weight * Math.min(...open.map((i) => costs[i]?.[p] ?? 0)),
    0,
  );
  return users + open.reduce((sum, i) => sum + (fixed[i] ?? 0), 0);
}

const problems = fc.integer({ min: 3, max: 8 }).chain((sites) =>
  fc.integer({ min: 1, max: 10 }).chain((users) =>
    fc.record({
      fixed: fc.array(fc.integer({ min: 0, max: 40 }), { minLength: sites, maxLength: sites }),
      demand: fc
        .array(fc.integer({ min: 1, max: 9 }), { minLength: users, maxLength: users })
        .map((weights) => Float64Array.from(weights)),
      costs: fc.array(
        fc
          .array(fc.integer({ min: 0, max: 90 }), { minLength: users, maxLength: users })
          .map((row) => Float64Array.from(row)),
        { minLength: sites, maxLength: sites },
      ),
    }),
  ),
);

describe('interchange', () => {
  it('ends where no exchange gains, never worse than it began, and knows what that costs', () => {
    fc.assert(
      fc.property(problems, fc.integer({ min: 1, max: 3 }), (problem, size) => {
        const start = [...problem.fixed.keys()].slice(0, size);
        const { open, cost } = interchange(problem, start);
        expect(cost).toBeCloseTo(costOf(problem, open), 9);
        expect(cost).toBeLessThanOrEqual(costOf(problem, start));
        for (const out of open) {
          for (const site of problem.fixed.keys()) {
            if (open.includes(site)) continue;
            const exchanged = open.map((i) => (i === out ? site : i));
            expect(costOf(problem, exchanged)).toBeGreaterThanOrEqual(cost - 1e-9);
          }
        }
      }),
    );
  });

  it('adds the site that costs least with those that are open', () => {
    fc.assert(
      fc.property(problems, fc.integer({ min: 0, max: 2 }), (problem, size) => {
        const open = [...problem.fixed.keys()].slice(0, size);
        const more = withOneMore(problem, open) ?? [];
        const closed = [...problem.fixed.keys()].filter((site) => !open.includes(site));
        for (const site of closed)
          expect(costOf(problem, more)).toBeLessThanOrEqual(costOf(problem, [...open, site]) + 1e-9);
      }),
    );
  });
});

describe('users that are gathered for a search', () => {
  const many = Array.from({ length: SEARCHED_USERS_MAX + 500 }, (_, i) => ({
    label: `u${i}`,
    lat: (i % 170) - 85,
    lon: (i % 350) - 175,
    weight: i + 1,
  }));
  const sum = (users: readonly { weight: number }[]) =>
    users.reduce((total, { weight }) => total + weight, 0);

  it('are as many as before when they are few', () => {
    const few = many.slice(0, 10);
    expect(gatherUsers(few, undefined).users).toBe(few);
  });

  it('keep their weight, and those with measurements stay where they are', () => {
    const measuredMs = many.map((_, i) => (i < 3 ? new Map([['a', 1]]) : undefined));
    const gathered = gatherUsers(many, measuredMs);
    expect(gathered.users).toHaveLength(SEARCHED_USERS_MAX);
    expect(sum(gathered.users)).toBeCloseTo(sum(many), 3);
    expect(gathered.users.slice(0, 3)).toEqual(many.slice(0, 3));
    expect(gathered.measuredMs?.filter((m) => m !== undefined)).toHaveLength(3);
  });
});
