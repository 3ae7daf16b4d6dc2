import type { UpgradeStep } from '@skerry/contracts';
import { compare, parse } from 'semver';

/** How far a part's version is from the centre's. */
export type Skew = UpgradeStep['state'];

/** A site as far as an upgrade goes. */
export interface SiteToUpgrade {
  readonly site: string;
  /** Versions of the agents on its nodes; empty while none was heard. */
  readonly versions: readonly string[];
  /** Replicas that run there: the sites with the fewest go first. */
  readonly running: number;
}

/**
 * How far `version` is from that of the centre. One minor version apart works both ways, patches do not count; with another
 * major version, or more than one minor version, nothing is promised.
 */
export function skewOf(centre: string, version: string): Skew {
  const [a, b] = [parse(centre), parse(version)];
  if (!a || !b) return 'unknown';
  if (a.major !== b.major || Math.abs(a.minor - b.minor) > 1) return 'too-far';
  const order = compare(b, a);
  return order === 0 ? 'done' : order < 0 ? 'behind' : 'ahead';
}

/** Worst first: a site is as far as the node that is farthest. */
const BY_WEIGHT: readonly Skew[] = ['too-far', 'behind', 'ahead', 'unknown', 'done'];

/**
 * The order of an upgrade: the centre, then the sites one after the other, those with the fewest replicas first, so that
 * what goes wrong goes wrong where it hurts least; the CLI at any time. The same input always gives the same order.
 */
export function upgradeOrder(input: {
  centre: string;
  cli?: string | undefined;
  sites: readonly SiteToUpgrade[];
}): UpgradeStep[] {
  const { centre, cli } = input;
  const sites = input.sites.toSorted((a, b) => a.running - b.running || (a.site < b.site ? -1 : 1));
  return [
    { what: 'centre', versions: [centre], state: 'done', how: CENTRE },
    ...sites.map((s) => siteStep(centre, s)),
    ...(cli === undefined
      ? []
      : [{ what: 'cli', versions: [cli], state: skewOf(centre, cli), how: 'at any time' }]),
  ];
}

const CENTRE = 'hub servers one by one, then app by app, all instances of one app at once';

function siteStep(centre: string, { site, versions }: SiteToUpgrade): UpgradeStep {
  const found = [...new Set(versions)].toSorted();
  const skews = found.map((version) => skewOf(centre, version));
  const state = BY_WEIGHT.find((skew) => skews.includes(skew)) ?? 'unknown';
  return { what: site, versions: found, state, how: HOW[state] };
}

const HOW: Readonly<Record<Skew, string>> = {
  done: 'nothing',
  behind: 'exchange agent.mjs and restart the agent, node by node; replicas go on',
  ahead: 'upgrade the centre first: it may lag by one minor version at most',
  'too-far': 'more than one minor version from the centre: go by way of the version between',
  unknown: 'not heard: look at it when it is back',
};
