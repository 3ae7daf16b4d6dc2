import { evaluate } from './evaluate.js';
import { decisionOf } from './place.js';
import { problemAmong } from './problem.js';
import { Sifted } from './sift.js';
import type { Decision, PlaceRequest, Snapshot } from './types.js';

/** The decision for sites that are given and not chosen: every number of it as if the search had found them. */
export function placeGiven(
  request: PlaceRequest,
  snapshot: Snapshot,
  given: ReadonlyMap<string, number>,
): Decision {
  const sifted = new Sifted(request, snapshot);
  const ordinals = [...given.keys()].flatMap((name) => sifted.index.ordinal(name) ?? []);
  const problem = problemAmong(
    sifted,
    ordinals.toSorted((a, b) => a - b),
  );
  const counts = Int32Array.from(problem.candidates, (c) => given.get(c.facts.name) ?? 0);
  const open = [...counts.keys()].filter((i) => (counts[i] ?? 0) > 0);
  const choice = { counts, open, total: counts.reduce((sum, n) => sum + n, 0) };
  const evaluation = evaluate(problem, choice);
  const { objective } = evaluation;
  return decisionOf(
    problem,
    { choice, objective, evaluation, runnerUp: undefined, heldBackBy: undefined },
    sifted,
  );
}
