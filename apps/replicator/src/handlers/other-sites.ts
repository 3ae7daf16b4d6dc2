import { createHash } from 'node:crypto';
import { LIMITS, type Dataset, type OtherSites, type Site } from '@skerry/contracts';
import type { CopiesStore } from '../stores/copies.store.js';
import type { WantedStore } from '../stores/wanted.store.js';

const MARK_CHARS = 16;

/**
 * To which other sites a site gives a few records of a dataset directly; undefined: to none, since the hub has to look at each record
 * first. That is so with a home that moves, whose term may be over; with areas, of which others get something else; with what is sealed,
 * and where keys may be over; with files, whose chunks are given for what is stored; with what sites brought back; and with so many
 * sites that one link should not carry it to all of them.
 */
export function otherSites(
  { copies, wanted }: { copies: CopiesStore; wanted: WantedStore },
  dataset: Dataset,
  site: Site,
): OtherSites | undefined {
  const { type, residency, encryption } = dataset.spec;
  const isSpecial = encryption !== undefined || (residency?.origin ?? false) !== false;
  if (type !== 'keyvalue' || isSpecial || dataset.recovered === true) return undefined;
  if (copies.homes.holderOf(dataset) !== undefined) return undefined;
  const holders = copies.sitesOf(dataset).filter(({ name }) => wanted.mayReceive(name));
  const sites = holders.flatMap(({ name, account }) => (name === site.name ? [] : [{ site: name, account }]));
  if (sites.length > LIMITS.givenSites || sites.length === holders.length) return undefined;
  return { mark: markOf(dataset, holders), sites };
}

/** The same for every site of the list. */
function markOf({ incarnation }: Dataset, holders: readonly Site[]): string {
  const accounts = holders.map(({ account }) => account).toSorted();
  const hash = createHash('sha256').update(JSON.stringify([incarnation, ...accounts]));
  return hash.digest('hex').slice(0, MARK_CHARS);
}
