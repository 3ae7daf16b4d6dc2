import type { Version } from './version.js';
import type { Placement } from './placement.js';
import { siteDescriptionSchema, siteSchema, type Site } from './site.js';
import { workloadSpecSchema, type Workload } from './workload.js';

/** Whole nouns as they lie in the buckets, from the few fields that somebody is about: for examples and tests. */

const DIGEST = `sha256:${'0'.repeat(64)}`;
const AT = '2026-01-01T00:00:00.000Z';
const REQUEST = 'request-1';

/** A version of the first term, when nothing else is said. */
export const exampleVersion = (generation: number, revision: number, term = 1): Version => ({
  term,
  generation,
  revision,
});

/** A joined site on no continent, with nothing stated about it but `change`. */
export function exampleSite(name: string, change: Partial<Site> = {}): Site {
  return siteSchema.parse({
    ...siteDescriptionSchema.parse({ name, location: { lat: 0, lon: 0 } }),
    generation: 1,
    account: `A${'A'.repeat(55)}`,
    membership: 'joined',
    cordoned: false,
    createdAt: AT,
    updatedAt: AT,
    commandSequence: 1,
    ...change,
  });
}

/** Workload `shop/web`: one replica of a command, when `change` does not say otherwise. */
export function exampleWorkload(change: Partial<Workload> = {}): Workload {
  return {
    kind: 'Workload',
    project: 'shop',
    name: 'web',
    labels: {},
    generation: 1,
    spec: workloadSpecSchema.parse({ run: { command: ['true'] } }),
    specDigest: DIGEST,
    demand: [],
    stopped: false,
    removed: false,
    createdAt: AT,
    updatedAt: AT,
    requestId: REQUEST,
    commandSequence: 1,
    ...change,
  };
}

/** Where `shop/web` was placed: so many replicas at each site. */
export function examplePlacement(
  shares: Readonly<Record<string, number>>,
  change: Partial<Placement> = {},
): Placement {
  return {
    kind: 'Placement',
    project: 'shop',
    name: 'web',
    version: exampleVersion(1, 1),
    specDigest: DIGEST,
    state: 'placed',
    wanted: Object.values(shares).reduce((a, b) => a + b, 0),
    shares: Object.entries(shares).map(([site, replicas]) => ({
      site,
      replicas,
      why: 'cheapest with room',
      demandShare: 0,
      latencyMs: 0,
      measured: true,
      costPerMonth: 0,
    })),
    costPerMonth: 0,
    objective: 0,
    failedChecks: {},
    rejected: [],
    engine: { name: 'test', version: '1' },
    seed: 0,
    inputs: { workload: DIGEST, sites: DIGEST },
    decidedAt: AT,
    epoch: 1,
    requestId: REQUEST,
    ...change,
  };
}
