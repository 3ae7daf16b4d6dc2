import type { DatasetRecord, ElsewhereRecord, OriginRule, OwnRecord } from '@skerry/contracts';
import type { Judgement } from '../judge-record.js';
import { claimsOf } from '../states.js';
import { redactState } from './redact.js';

/** The area in which a store (`<site>.<store>`) writes; undefined: none that is known, so nobody gets what it wrote. */
export type AreaOf = (origin: string) => string | undefined;

/** What sites of one area are given: their own records whole, and of the others what the rule lets them know. */
export interface GivenRecords {
  records: DatasetRecord[];
  /** Absent when the rule lets them know nothing. */
  elsewhere?: ElsewhereRecord[];
}

/** What of these records an area is given. Nothing of another area's is in it but what `elsewhere` of the rule keeps. */
export function givenIn(
  { elsewhere: rule }: OriginRule,
  area: string,
  { records, areaOf }: { records: readonly DatasetRecord[]; areaOf: AreaOf },
): GivenRecords {
  const own = records.filter(({ origin }) => areaOf(origin) === area);
  if (rule === 'nothing') return { records: own };
  const elsewhere = records.flatMap(({ origin, key, write, state }): ElsewhereRecord[] => {
    const other = areaOf(origin);
    const redacted = other === undefined || other === area ? undefined : redactState(state, rule.keep);
    return other === undefined || redacted === undefined
      ? []
      : [{ area: other, origin, key, write, state: redacted }];
  });
  return { records: own, elsewhere };
}

/** Refuses a record that speaks of a store of another area: no honest one does, since it never got a record of it. */
export function judgeArea(
  { key, state }: OwnRecord,
  area: string,
  areaOf: AreaOf,
): Extract<Judgement, { verdict: 'refuse' }> | undefined {
  const { by, seen } = claimsOf(state);
  const stranger = [...Object.keys(by), ...Object.keys(seen)].find((origin) => areaOf(origin) !== area);
  if (stranger === undefined) return undefined;
  return {
    verdict: 'refuse',
    reason: `${key}: speaks of ${stranger}, which is not in ${area}`.slice(0, 300),
  };
}
