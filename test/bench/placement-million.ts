import { lint, place, type Ledger, type PlaceRequest, type Snapshot } from '@skerry/domain';
import { largestCities } from './placement-cities.js';
import { cloudOf } from './placement-cloud.js';
import { citySites, requestsOf } from './placement-workloads.js';
import type { Report } from './report.js';

const SITES = 10_000;
const WORKLOADS = 10_000;
const REPLICAS = 100;
const QUICK_DIVISOR = 20;

/**
 * A million replicas of 10,000 workloads over 10,000 sites, from nothing, one decision after the other, each on what those
 * before it took. Sites: the largest cities, about 600,000 cores, of which the replicas need 260,000: near the users it
 * becomes tight. Every decision is linted at the end against
 * all that is placed then; a broken rule or a replica left over fails the benchmark. `quick`: a twentieth of the workloads.
 */
export async function million(report: Report, { quick }: { quick: boolean }): Promise<void> {
  const cities = largestCities(SITES);
  const snapshot = cloudOf(citySites(cities));
  const workloads = Math.floor(WORKLOADS / (quick ? QUICK_DIVISOR : 1));
  const requests = requestsOf(cities, workloads, REPLICAS);
  const cpu = process.cpuUsage();
  const began = performance.now();
  const placed = placeAll(requests, snapshot);
  const seconds = (performance.now() - began) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  const rssMiB = process.resourceUsage().maxRSS / 1_024;
  report.add('placement.million_replicas_s', seconds, 's');
  report.add('placement.million_replicas_cpu_s', (user + system) / 1e6, 's');
  report.add('placement.million_replicas_rss_mib', rssMiB, 'MiB');
  verify(placed, snapshot);
  report.say(
    `  ${placed.length * REPLICAS} replicas of ${placed.length} workloads over ${SITES} sites; every decision holds at the end`,
  );
}

interface Placed {
  readonly request: PlaceRequest;
  readonly decision: ReturnType<typeof place>;
}

function placeAll(requests: readonly PlaceRequest[], snapshot: Snapshot & { ledger: Ledger }): Placed[] {
  return requests.map((request) => {
    const decision = place(request, snapshot);
    const { project, name, spec } = request.workload;
    snapshot.ledger.hold(`${project}.${name}`, spec.resources, decision.shares);
    return { request, decision };
  });
}

/** As the scheduler would ask again: with what each workload holds as its own. */
function verify(placed: readonly Placed[], snapshot: Snapshot & { ledger: Ledger }): void {
  for (const { request, decision } of placed) {
    const present = new Map(decision.shares.map((s) => [s.site, s.replicas]));
    const [broken] = lint(decision, { ...request, present }, snapshot);
    if (broken) throw new Error(`${request.workload.name} breaks ${broken.invariant}: ${broken.detail}`);
    const replicas = decision.shares.reduce((sum, s) => sum + s.replicas, 0);
    if (replicas !== REPLICAS)
      throw new Error(`${request.workload.name}: ${replicas} of ${REPLICAS} are placed`);
  }
  const overfull = snapshot.sites.find((s) => snapshot.ledger.overfull(s.name));
  if (overfull) throw new Error(`${overfull.name} holds more than its nodes can take`);
}
