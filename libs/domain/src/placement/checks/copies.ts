import type { NeededDataset, Site } from '@skerry/contracts';
import { copyMayBe } from '../../datasets/admit-copies.js';
import { fixedHome, homeWith } from '../../datasets/home.js';
import type { Check } from '../types.js';
import { UNREAD } from './facets.js';

/**
 * Every dataset that the workload needs has a copy at the site, or may be brought there. Of a dataset that is not known nothing
 * new runs anywhere, and what runs stays.
 */
export const copies: Check = {
  name: 'copies',
  reads: ({ data = [] }) => (data.length === 0 ? UNREAD : undefined),
  prepare({ data = [] }) {
    if (data.length === 0) return undefined;
    const known = data.every(({ rule }) => rule !== undefined);
    return ({ site }, present) => {
      if (data.some((needed) => barrierAt(needed, site) !== undefined)) return 0;
      return known ? Number.POSITIVE_INFINITY : present;
    };
  },
  explain({ facts: { site }, request: { data = [] } }) {
    if (data.length === 0) return { has: 'no dataset is needed', needs: 'nothing' };
    const needs = `a copy of ${data.map(({ dataset }) => dataset).join(', ')}`;
    const barred = data.flatMap((needed) => {
      const why = barrierAt(needed, site);
      return why === undefined ? [] : [`${needed.dataset}: ${why}`];
    });
    const unknown = data.filter(({ rule }) => rule === undefined).map(({ dataset }) => dataset);
    if (barred.length > 0) return { has: barred.join('; '), needs };
    if (unknown.length === 0) return { has: data.map((needed) => standing(needed, site)).join(', '), needs };
    return { has: `no dataset ${unknown.join(', ')}`, needs, remedy: `apply ${unknown.join(', ')}` };
  },
};

/** Why the dataset cannot be used at the site. */
function barrierAt({ rule, access, at }: NeededDataset, site: Site): string | undefined {
  if (rule === undefined) return undefined;
  const choice = copyMayBe(rule, site);
  if (!choice.ok) return choice.why;
  const { max = Number.POSITIVE_INFINITY } = rule.copies;
  if (at !== undefined && at.length >= max && !at.includes(site.name))
    return `copies: at most ${max}, which are at ${at.slice(0, 8).join(', ')}`;
  if (access !== 'write' || rule.conflicts !== 'single-writer') return undefined;
  // One that moves comes to where its workload is.
  if (homeWith(rule) !== undefined || fixedHome(rule) === site.name) return undefined;
  return `only ${fixedHome(rule) ?? 'its home'} writes it`;
}

function standing({ dataset, at }: NeededDataset, { name }: Site): string {
  return at === undefined || at.includes(name) ? `a copy of ${dataset}` : `room for a copy of ${dataset}`;
}
