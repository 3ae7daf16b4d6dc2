import { describe, expect, it } from '@jest/globals';
import {
  COPY_AUDIT,
  copyAuditSchema,
  type CopyAudit,
  type CopyEvent,
  type RefusedAccess,
} from '@skerry/contracts';
import * as fc from 'fast-check';
import { withCopyEvent, withRefusals } from './audit-copies.js';

const at = (n: number) => new Date(n * 1_000).toISOString();
const empty: CopyAudit = {
  kind: 'CopyAudit',
  project: 'p',
  name: 'law',
  site: 'de',
  events: [],
  refusals: [],
};
const event = (n: number, change: Partial<CopyEvent> = {}): CopyEvent => {
  return { at: at(n), what: 'given', incarnation: 1, rule: 'stays in eu', jurisdictions: ['eu'], ...change };
};
const refusal = (n: number, change: Partial<RefusedAccess> = {}): RefusedAccess => {
  return { what: 'read', by: 'the site', why: 'no copy', first: at(n), last: at(n), count: 1, ...change };
};

describe('what is written of a copy', () => {
  it('is when it was given and taken away, once each, and anew when the rule is another', () => {
    const given = withCopyEvent(empty, event(1)) ?? empty;
    expect(withCopyEvent(given, event(2))).toBeUndefined();
    const other = withCopyEvent(given, event(3, { rule: 'stays in eu, not in de' })) ?? empty;
    const taken = withCopyEvent(other, event(4, { what: 'taken', rule: 'residency' })) ?? empty;
    expect(taken.events.map((e) => [e.what, e.at])).toEqual([
      ['given', at(1)],
      ['given', at(3)],
      ['taken', at(4)],
    ]);
    expect(withCopyEvent(taken, event(5, { what: 'taken', rule: 'removed' }))).toBeUndefined();
    expect(withCopyEvent(empty, event(1, { what: 'taken' }))).toBeUndefined();
  });

  it('counts the same refusal, and keeps no more than its limits whatever is refused', () => {
    const twice = withRefusals(withRefusals(empty, [refusal(1)]), [refusal(9, { count: 4 })]);
    expect(twice.refusals).toEqual([refusal(9, { first: at(1), count: 5 })]);
    const many = fc.array(fc.tuple(fc.integer({ min: 1, max: 99 }), fc.string({ maxLength: 8 })), {
      maxLength: 120,
    });
    fc.assert(
      fc.property(many, (asked) => {
        const all = asked.reduce((audit, [n, why]) => withRefusals(audit, [refusal(n, { why })]), empty);
        expect(all.refusals.length).toBeLessThanOrEqual(COPY_AUDIT.refusals);
        expect(copyAuditSchema.safeParse(all).success).toBe(true);
        expect(all.refusals.at(-1)?.why).toBe(asked.at(-1)?.[1]);
      }),
    );
  });
});
