import { LIMITS, type DataKey, type OfferedKey } from '@skerry/contracts';

/** How long a site waits for a key that others have before it may make one of its own. */
const PATIENCE_MS = 10_000;

/** Of the keys that a dataset may have so many may be of before the hub lost them. */
const AGAIN_SHARE = 0.75;

/** What the hub knows when a key is offered. */
export interface KeysKnown {
  /** The keys of this dataset. */
  keys: readonly DataKey[];
  /** Whether a site may not have the dataset any more. */
  isBarred: (site: string) => boolean;
  nowMs: number;
}

/**
 * A key that a site has which may not any more: nothing more is sealed with it. Of one that the hub had lost it is not known which
 * sites had it, so one of them may be such a site.
 */
export function isOver({ wraps, again }: DataKey, isBarred: (site: string) => boolean): boolean {
  return again === true || wraps.some(({ site }) => isBarred(site));
}

/**
 * Whether a site's new key is taken. While another holds for the area it is not, so that sites which make one in the same moment
 * come to use the same; but who waits in vain for that one to be wrapped for it (its holders may be away) makes one beside it.
 */
export function takesKey(offer: OfferedKey, site: string, { keys, isBarred, nowMs }: KeysKnown): boolean {
  if (keys.length >= LIMITS.dataKeysPerDataset || !offer.wraps.some((wrap) => wrap.site === site))
    return false;
  // Nothing more is sealed with those: there stays room for new ones.
  if (offer.again === true)
    return keys.filter(({ again }) => again === true).length < LIMITS.dataKeysPerDataset * AGAIN_SHARE;
  const valid = keys.filter((key) => key.area === offer.area && !isOver(key, isBarred));
  const holds = valid.some(({ wraps }) => wraps.some((wrap) => wrap.site === site));
  return !holds && valid.every(({ madeAt }) => nowMs - Date.parse(madeAt) > PATIENCE_MS);
}

/** A key with the wraps of an offer that are new, as far as there is room; the same key when none is. */
export function withWraps(key: DataKey, offered: DataKey['wraps']): DataKey {
  const known = new Set(key.wraps.map(({ site, store }) => `${site}.${store}`));
  const fresh = offered.filter(({ site, store }) => !known.has(`${site}.${store}`));
  if (fresh.length === 0) return key;
  return { ...key, wraps: [...key.wraps, ...fresh].slice(0, LIMITS.holdersPerDataKey) };
}

/** The key that is sealed with: the newest that holds, the same for all who have it. */
export function newestKey<K extends { id: string; madeAt: string }>(keys: readonly K[]): K | undefined {
  return keys.toSorted((a, b) =>
    a.madeAt === b.madeAt ? (a.id < b.id ? 1 : -1) : a.madeAt < b.madeAt ? 1 : -1,
  )[0];
}
