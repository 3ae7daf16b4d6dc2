import { LIMITS, type Dataset, type OtherSites, type Site } from '@skerry/contracts';
import type { CopiesStore } from '../stores/copies.store.js';
import type { RecordsStore } from '../stores/records.store.js';
import type { WantedStore } from '../stores/wanted.store.js';

interface Stores {
  copies: CopiesStore;
  wanted: WantedStore;
  records: { marks: Pick<RecordsStore['marks'], 'of'> };
}

/**
 * To which other sites a site gives a few records of a dataset directly; undefined: to none, since the hub has to look at each record
 * first. That is so with a home that moves, whose term may be over; with areas, of which others get something else; with what is sealed,
 * and where keys may be over; with files, whose chunks are given for what is stored; with what sites brought back; and with so many
 * sites that one link should not carry it to all of them.
 */
export function otherSites(
  { copies, wanted, records }: Stores,
  dataset: Dataset,
  site: Site,
): OtherSites | undefined {
  const { type, residency, encryption } = dataset.spec;
  const isSpecial = encryption !== undefined || (residency?.origin ?? false) !== false;
  if (type !== 'keyvalue' || isSpecial || dataset.recovered === true) return undefined;
  if (copies.homes.holderOf(dataset) !== undefined) return undefined;
  const holders = copies.sitesOf(dataset).filter(({ name }) => wanted.mayReceive(name));
  const sites = holders.flatMap(({ name, account }) => (name === site.name ? [] : [{ site: name, account }]));
  const isAmongThem = sites.length < holders.length;
  if (!isAmongThem || sites.length === 0 || sites.length > LIMITS.givenSites) return undefined;
  const mark = records.marks.of(dataset);
  return mark === undefined ? undefined : { mark, sites };
}
