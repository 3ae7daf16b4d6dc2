import type { DatasetSpec, Site } from '@skerry/contracts';
import { mayReside } from '../../placement/checks/residency.js';
import { wallOf } from '../admit-copies.js';
import { areaAt, originOf } from '../origin/areas.js';

type Residency = DatasetSpec['residency'];
type Place = Pick<Site, 'jurisdictions'>;

/**
 * Whose records are sealed with one key: all that may be at the same places. Where each record stays where it was written, those
 * of one area; else those of all sites that the dataset may be at. Undefined: this place writes nothing.
 */
export function keyAreaOf(residency: Residency, place: Place): string | undefined {
  const origin = originOf(residency);
  if (origin === undefined) return residency?.stay?.toSorted().join('+') ?? '*';
  const found = areaAt(origin, place);
  return found.ok ? found.area : undefined;
}

/** Whether the law lets a place have the key of an area, and so read what is sealed with it. */
export function mayHoldKey(residency: Residency, area: string, place: Place): boolean {
  if (!mayReside({ jurisdictions: place.jurisdictions }, wallOf(residency))) return false;
  return originOf(residency) === undefined || keyAreaOf(residency, place) === area;
}
