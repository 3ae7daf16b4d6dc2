import {
  siteDescriptionSchema,
  workloadSpecSchema,
  type Observed,
  type Placement,
  type Replica,
  type Site,
  type Version,
  type Workload,
} from '@skerry/contracts';

/** Whole objects from the few fields that a test is about, and waiting with a deadline. */

const DIGEST = `sha256:${'0'.repeat(64)}`;
const AT = '2026-01-01T00:00:00.000Z';
export const REQUEST = 'request-of-a-test';

export const version = (generation: number, revision: number): Version => ({ term: 1, generation, revision });

export function site(name: string, account: string): Site {
  return {
    ...siteDescriptionSchema.parse({ name, location: { lat: 50, lon: 8 } }),
    generation: 1,
    account,
    membership: 'joined',
    cordoned: false,
    createdAt: AT,
    updatedAt: AT,
    commandSequence: 1,
  };
}

export function workload(name: string, generation = 1, change: Partial<Workload> = {}): Workload {
  return {
    kind: 'Workload',
    project: 'shop',
    name,
    labels: {},
    generation,
    spec: workloadSpecSchema.parse({ run: { driver: 'mock' } }),
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

export function placement(name: string, at: Version, shares: Record<string, number>): Placement {
  return {
    kind: 'Placement',
    project: 'shop',
    name,
    version: at,
    specDigest: DIGEST,
    state: 'placed',
    wanted: Object.values(shares).reduce((a, b) => a + b, 0),
    shares: Object.entries(shares).map(([where, replicas]) => ({
      site: where,
      replicas,
      why: 'because the test says so',
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
  };
}

export function replica(
  name: string,
  at: string,
  slot: number,
  phase: Replica['phase'] = 'running',
): Replica {
  return {
    id: `shop.${name}.${at}.${slot}`,
    slot,
    node: 'n1',
    phase,
    version: version(1, 1),
    addresses: {},
    restarts: 0,
    since: AT,
  };
}

export function report(name: string, at: string, about: Version, change: Partial<Observed> = {}): Observed {
  return {
    kind: 'Observed',
    site: at,
    project: 'shop',
    name,
    version: about,
    state: 'accepted',
    wanted: 1,
    replicas: [replica(name, at, 0)],
    reportedAt: AT,
    report: 1,
    ...change,
  };
}

const POLL_MS = 25;

/** Waits until the condition holds; throws with what was awaited when `withinMs` are over. */
export async function until(
  what: string,
  holds: () => Promise<boolean> | boolean,
  withinMs = 15_000,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((tick) => setTimeout(tick, POLL_MS));
  }
}
