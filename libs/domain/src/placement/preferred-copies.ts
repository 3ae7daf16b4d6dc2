import type { PlaceRequest, SiteFacts } from './types.js';

/** Of each dataset that a workload needs and whose copies are Skerry's to choose: where they are now. A site that has one is preferred. */
export type PreferredCopies = readonly ReadonlySet<string>[];

/** Each counts as much as one preferred label. */
export function preferredCopies({ data = [] }: Pick<PlaceRequest, 'data'>): PreferredCopies {
  return data.flatMap(({ at }) => (at === undefined ? [] : [new Set(at)]));
}

/** How many of them the site does not have. */
export function copiesLacking({ name }: Pick<SiteFacts, 'name'>, wanted: PreferredCopies): number {
  let lacks = 0;
  for (const at of wanted) if (!at.has(name)) lacks += 1;
  return lacks;
}
