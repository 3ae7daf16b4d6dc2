import { place } from '@skerry/domain';
import { nearestGreedy, spreadScoring } from './placement-baselines.js';
import { ExactSolver } from './placement-exact.js';
import { cityInstances, regionInstances, type Instance } from './placement-instances.js';
import type { Report } from './report.js';

const REPLICAS = [2, 3, 4, 5, 6, 7, 8];
const REPLICAS_QUICK = [2, 5];
/** Of one exact solution; when it is over, the solver's bound stands in for the optimum. */
const SOLVE_LIMIT_S = 30;
/** The engine's figure and the one written down apart from it may differ by rounding. */
const SAME = 1e-6;
/** Instances named when the engine is further than this from the optimum. */
const WORTH_NAMING_PCT = 0.5;

interface Outcome {
  readonly name: string;
  readonly gapPct: number;
  readonly spreadWorsePct: number;
  readonly nearestWorsePct: number;
  readonly proven: boolean;
  readonly solveMs: number;
}

/**
 * How far the engine is from the exact optimum of its own objective, and how far others are from the engine.
 * `quick`: 20 instances in place of 70.
 */
export async function quality(
  report: Report,
  { quick, root }: { quick: boolean; root: string },
): Promise<void> {
  const replicas = quick ? REPLICAS_QUICK : REPLICAS;
  const solver = await ExactSolver.load();
  const outcomes = [...regionInstances(root, replicas), ...cityInstances(replicas)].map((instance) =>
    outcomeOf(instance, solver),
  );
  for (const { name, gapPct } of outcomes.toSorted((a, b) => b.gapPct - a.gapPct)) {
    if (gapPct > WORTH_NAMING_PCT) report.say(`  ${gapPct.toFixed(2)} % above the optimum: ${name}`);
  }
  const unproven = outcomes.filter((o) => !o.proven);
  if (unproven.length > 0) {
    report.say(
      `  not solved to the end in ${SOLVE_LIMIT_S} s, gap against the bound: ${unproven.map((o) => o.name).join('; ')}`,
    );
  }
  const mean = (of: (o: Outcome) => number) => outcomes.reduce((sum, o) => sum + of(o), 0) / outcomes.length;
  report.add('placement.gap_instances', outcomes.length, 'instances');
  report.add('placement.gap_unproven', unproven.length, 'instances');
  report.add(
    'placement.gap_mean_pct',
    mean((o) => o.gapPct),
    '%',
  );
  report.add('placement.gap_max_pct', Math.max(...outcomes.map((o) => o.gapPct)), '%');
  report.add(
    'placement.spread_scoring_worse_pct',
    mean((o) => o.spreadWorsePct),
    '%',
  );
  report.add(
    'placement.nearest_greedy_worse_pct',
    mean((o) => o.nearestWorsePct),
    '%',
  );
  report.say(
    `  exact solutions took ${(mean((o) => o.solveMs) / 1_000).toFixed(1)} s each, ${(Math.max(...outcomes.map((o) => o.solveMs)) / 1_000).toFixed(1)} s at most`,
  );
}

function outcomeOf(instance: Instance, solver: ExactSolver): Outcome {
  const { problem, request, snapshot, name } = instance;
  const decision = place(request, snapshot);
  const ours = solver.costOf(
    problem,
    problem.sites.map((site) => decision.shares.find((s) => s.site === site)?.replicas ?? 0),
  );
  if (Math.abs(ours - decision.objective) > SAME * Math.max(1, Math.abs(ours))) {
    throw new Error(`${name}: the engine says ${decision.objective}, by the definition it is ${ours}`);
  }
  const exact = solver.solve(problem, ours, SOLVE_LIMIT_S);
  const worsePct = (cost: number, than: number) => (cost / than - 1) * 100;
  return {
    name,
    gapPct: worsePct(ours, exact.bound),
    spreadWorsePct: worsePct(solver.costOf(problem, spreadScoring(instance)), ours),
    nearestWorsePct: worsePct(solver.costOf(problem, nearestGreedy(instance)), ours),
    proven: exact.proven,
    solveMs: exact.ms,
  };
}
