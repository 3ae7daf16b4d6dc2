import type { Site, SiteState } from '@skerry/contracts';
import { positionOf } from './geo.js';
import type { SiteFacts } from './types.js';

/** Merges what an operator says of a site and what inventory knows of it into what decisions look at. */
export function siteFacts(said: Site, state?: SiteState): SiteFacts {
  const site = withStanding(said, state);
  const labels = new Map(Object.entries(site.labels));
  // After the operator's own labels: a label cannot pretend to be another site, kind, provider or jurisdiction.
  labels.set('name', site.name).set('site', site.name);
  labels.set('kind', site.kind).set('provider', site.provider);
  const [jurisdiction] = site.jurisdictions;
  if (jurisdiction === undefined) labels.delete('jurisdiction');
  else labels.set('jurisdiction', jurisdiction);
  return {
    name: site.name,
    site,
    state,
    labels,
    position: positionOf(site.location),
    rttMs: new Map(Object.entries(site.rttMs)),
  };
}

/** A site none of whose nodes takes new work takes none; what runs there goes elsewhere as with a drain when it leaves all of them. */
function withStanding(site: Site, state: SiteState | undefined): Site {
  switch (state?.standing) {
    case undefined:
      return site;
    case 'cordoned':
      return { ...site, cordoned: true };
    case 'draining': {
      const departure = site.departure ?? { kind: 'drain', since: site.updatedAt };
      return { ...site, draining: true, departure };
    }
  }
}

/** `sites` by name; the same array when it is sorted already. */
export function byName(sites: readonly SiteFacts[]): readonly SiteFacts[] {
  const sorted = sites.every((s, i) => i === 0 || (sites[i - 1]?.name ?? '') < s.name);
  return sorted ? sites : sites.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
