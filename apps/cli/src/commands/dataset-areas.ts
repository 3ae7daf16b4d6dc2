import type { Dataset, DatasetEntry, DatasetWhere } from '@skerry/contracts';
import { areaAt, originOf } from '@skerry/domain';
import { plain } from '../output/terminal.js';

type CopyWhere = DatasetWhere['copies'][number];

/** With `residency.origin`: the area that a copy's site is in, whose records it holds; else undefined, as for all copies. */
export function areaOf({ spec }: Dataset, { jurisdictions }: Pick<CopyWhere, 'jurisdictions'>) {
  const rule = originOf(spec.residency);
  const found = rule === undefined ? undefined : areaAt(rule, { jurisdictions });
  return found?.ok === true ? found.area : undefined;
}

/** Copies that hold the same when nothing is under way: all, or those of each area. */
export function copiesByArea(dataset: Dataset, copies: readonly CopyWhere[]): CopyWhere[][] {
  const areas = new Map<string | undefined, CopyWhere[]>();
  for (const copy of copies) {
    const area = areaOf(dataset, copy);
    areas.set(area, [...(areas.get(area) ?? []), copy]);
  }
  return [...areas.values()];
}

/** Where records may be, in one word or few. */
export function staysIn({ spec: { residency } }: Dataset): string {
  const rule = originOf(residency);
  if (rule !== undefined) return `origin (${rule.among.join(', ')})`;
  return residency?.stay?.join(', ') ?? 'anywhere';
}

/** What other areas let be known of a key, each behind its name; empty when nothing is. */
export function elsewhereText({ elsewhere = [] }: DatasetEntry): string[] {
  return elsewhere.map(
    ({ area, value, values = [] }) =>
      `${area}: ${plain(value ?? values.join(values.length > 1 ? ' | ' : ''))}`,
  );
}
