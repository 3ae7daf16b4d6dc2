import {
  examplePlacement,
  exampleSite,
  exampleVersion,
  exampleWorkload,
  workloadSpecSchema,
  type Observed,
  type Placement,
  type Replica,
  type Site,
  type Version,
  type Workload,
} from '@skerry/contracts';

/** Whole objects from the few fields that a test is about, and waiting with a deadline. */

const AT = '2026-01-01T00:00:00.000Z';
export const REQUEST = 'request-of-a-test';

export { exampleVersion as version } from '@skerry/contracts';

export const site = (name: string, account: string): Site =>
  exampleSite(name, { account, location: { lat: 50, lon: 8 } });

export const workload = (name: string, generation = 1, change: Partial<Workload> = {}): Workload =>
  exampleWorkload({
    name,
    generation,
    spec: workloadSpecSchema.parse({ run: { driver: 'mock' } }),
    requestId: REQUEST,
    ...change,
  });

export const placement = (name: string, version: Version, shares: Record<string, number>): Placement =>
  examplePlacement(shares, { name, version, requestId: REQUEST });

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
    version: exampleVersion(1, 1),
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
