import type { LogItem, OriginRule } from '@skerry/contracts';
import { spanOf } from '../logs/continuity.js';
import type { AreaOf } from './given.js';
import { redactValue } from './redact.js';

/**
 * What of a log sites of one area are given, in its order: what was written there whole, and of the others what `elsewhere` of the
 * rule keeps, with their area. That something is missing in another area is not told.
 */
export function entriesGivenIn(
  { elsewhere: rule }: OriginRule,
  area: string,
  { items, areaOf }: { items: readonly LogItem[]; areaOf: AreaOf },
): LogItem[] {
  return items.flatMap((item): LogItem[] => {
    const other = areaOf(spanOf(item).origin);
    if (other === area) return [item];
    if (other === undefined || rule === 'nothing' || 'gap' in item || item.sealed !== undefined) return [];
    const value = redactValue(item.value, rule.keep);
    const { origin, number, at } = item;
    return value === undefined ? [] : [{ origin, number, at, value, area: other }];
  });
}
