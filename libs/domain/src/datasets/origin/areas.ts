import type { DatasetSpec, OriginRule, Site } from '@skerry/contracts';

/** The area of `among` that a place belongs to, or why it has none. */
export type AreaFound = { ok: true; area: string } | { ok: false; why: string };

/** The rule by which records stay where they were written; undefined: none. One that names no areas lets nobody have a copy. */
export function originOf(residency: DatasetSpec['residency']): OriginRule | undefined {
  const origin = residency?.origin;
  if (origin === undefined || origin === false) return undefined;
  return origin === true ? { among: [], elsewhere: 'nothing' } : origin;
}

/**
 * The one area that a site is in. What is in two of them at once is under the laws of both: a record that may only be in one of
 * them could not be there.
 */
export function areaAt({ among }: OriginRule, { jurisdictions }: Pick<Site, 'jurisdictions'>): AreaFound {
  const [area, ...more] = among.filter((one) => jurisdictions.includes(one));
  if (area === undefined) return { ok: false, why: `in none of the areas ${among.join(', ')}` };
  if (more.length > 0) return { ok: false, why: `in ${[area, ...more].join(' and ')} at once` };
  return { ok: true, area };
}

/** The areas whose records a place, such as the hub, may not keep in clear: every one that it is not in. */
export function areasAbroad({ among }: OriginRule, jurisdictions: readonly string[] | undefined): string[] {
  return among.filter((area) => jurisdictions?.includes(area) !== true);
}

/** The rule as people read it. */
export function originInWords({ among, elsewhere }: OriginRule): string {
  const rest = elsewhere === 'nothing' ? 'nothing' : `only ${elsewhere.keep.join(', ')}`;
  return `each record stays where it was written, in ${among.join(' or ')}; elsewhere ${rest}`;
}
