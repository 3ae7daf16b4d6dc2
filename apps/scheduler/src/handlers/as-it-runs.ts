import { nextPlacement, type NextPlacementInput } from '@skerry/domain';

type Input = Pick<NextPlacementInput, 'workload' | 'previous'>;

/**
 * What sites hold and the hub did not know any more (it was restored from an older backup) runs: it is placed where it does,
 * once all its sites may have said so. From then on it is placed like any other.
 */

/** Until when sites may still say that it runs there, ms since the epoch; 0 when nobody is waited for. */
export function gathersUntil({ workload, previous }: Input): number {
  if (workload.recovered === undefined || previous !== undefined) return 0;
  return Date.parse(workload.recovered.until);
}

/** With the sites where it runs as given; as it is when it is placed already, or may not run as it does. */
export function asItRuns(input: NextPlacementInput): NextPlacementInput {
  const { recovered } = input.workload;
  const running = recovered?.from.filter(({ replicas }) => replicas > 0) ?? [];
  if (running.length === 0 || input.previous !== undefined) return input;
  const asIs = { ...input, given: new Map(running.map(({ site, replicas }) => [site, replicas])) };
  try {
    // In part: a site that runs some of it has not said so, and is asked for the rest by the next decision.
    const state = nextPlacement(asIs)?.state;
    return state === 'placed' || state === 'partial' ? asIs : input;
  } catch {
    // An invariant forbids it: it is chosen anew, and moves as anything does that may not stay.
    return input;
  }
}
