import type { Retirement, Site } from '@skerry/contracts';

/**
 * The last word to a site that is leaving, once nothing is wanted of it and it has acknowledged every removal;
 * undefined before. `wanted` counts the placements that still name the site, `delivered` what lies in `DL` for it.
 */
export function retirementOf(
  site: Site,
  left: { wanted: number; delivered: number },
  at: string,
): Retirement | undefined {
  if (site.membership !== 'leaving' || left.wanted > 0 || left.delivered > 0) return undefined;
  return { kind: 'Retirement', site: site.name, generation: site.generation, at };
}
