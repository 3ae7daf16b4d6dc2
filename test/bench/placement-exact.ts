import { createRequire } from 'node:module';
import type highs from 'highs';
import type { Highs } from 'highs';
import { fixing, type Fixing } from './placement-bound.js';

/** A placement problem as numbers: what the engine minimises, and what an exact solver is given. */
export interface ExactProblem {
  readonly sites: readonly string[];
  /** The most replicas of each site. */
  readonly ceilings: readonly number[];
  /** What the `nth` replica (from 1) at a site adds to the objective; never falls with `nth`. */
  marginal(site: number, nth: number): number;
  /** What it costs to serve all the users of a location from a site. */
  pair(site: number, point: number): number;
  /** Shares of the users by location; they add up to 1. */
  readonly weights: readonly number[];
  /** Share of the users that one replica carries. */
  readonly replicaCapacity: number;
  readonly least: number;
  readonly most: number;
  /** Added to the objective whatever is chosen. */
  readonly constant: number;
}

export interface Exact {
  /** The best choice found, and a bound that no choice is below; equal when `proven`. */
  readonly objective: number;
  readonly bound: number;
  readonly proven: boolean;
  readonly ms: number;
  /** Sites that were left to the solver, after those were set aside that no best choice can use. */
  readonly sitesLeft: number;
}

const RELATIVE_GAP = 1e-6;
// Its types describe the CommonJS build only, in which the loader is the module itself.
const loadHighs: typeof highs.default = createRequire(import.meta.url)('highs');

/**
 * Solves placement problems to the optimum with HiGHS: integer counts, and a location's users may be served from several
 * sites in parts. `upper` is the objective of any choice that keeps the rules: sites that no better choice can use are set
 * aside first, by reduced costs of a Lagrangian bound, which changes nothing but the time.
 */
export class ExactSolver {
  private constructor(private readonly highs: Highs) {}

  static async load(): Promise<ExactSolver> {
    return new ExactSolver(await loadHighs());
  }

  solve(problem: ExactProblem, upper: number, timeLimitS: number): Exact {
    const began = performance.now();
    const left = fixing(problem, upper + 1e-6 * Math.max(1, Math.abs(upper)));
    const model = this.highs.createModel({ format: 'lp', data: milp(problem, left) });
    try {
      model.options.set({ output_flag: false, time_limit: timeLimitS, mip_rel_gap: RELATIVE_GAP });
      model.run();
      const found = model.getObjectiveValue() + problem.constant;
      const solved = model.getModelStatus() === this.highs.constants.modelStatus.optimal;
      const bound = solved ? found : Number(model.info.get('mip_dual_bound')) + problem.constant;
      return {
        objective: Math.min(found, upper),
        // What was set aside is at least as dear as `upper`.
        bound: Math.min(Math.max(bound, left.bound), upper),
        proven: solved,
        ms: performance.now() - began,
        sitesLeft: left.most.filter((n) => n > 0).length,
      };
    } finally {
      model.dispose();
    }
  }

  /** The objective of given counts, with the users served as cheaply as the sites' capacity allows; Infinity when they cannot all be. */
  costOf(problem: ExactProblem, counts: readonly number[]): number {
    const open = counts.flatMap((n, site) => (n > 0 ? [{ site, n }] : []));
    let fixed = problem.constant;
    for (const { site, n } of open) for (let j = 1; j <= n; j += 1) fixed += problem.marginal(site, j);
    const text = new LpText();
    for (const { site, n } of open) {
      for (const p of problem.weights.keys()) {
        text.variable(`x${site}_${p}`, problem.pair(site, p));
      }
      const load = problem.weights.map((w, p): Part => [w, `x${site}_${p}`]);
      text.row(load, '<=', n * problem.replicaCapacity);
    }
    for (const p of problem.weights.keys()) {
      text.row(
        open.map(({ site }): Part => [1, `x${site}_${p}`]),
        '=',
        1,
      );
    }
    return this.highs.withModel({ format: 'lp', data: text.toString() }, (model) => {
      model.options.set({ output_flag: false });
      model.run();
      const solved = model.getModelStatus() === this.highs.constants.modelStatus.optimal;
      return solved ? fixed + model.getObjectiveValue() : Number.POSITIVE_INFINITY;
    });
  }
}

/**
 * The strong formulation: x(site, location) is at most open(site), one binary for each further replica, and each of those
 * only after the one before it.
 */
function milp(problem: ExactProblem, { most }: Fixing): string {
  const text = new LpText();
  const sites = most.flatMap((n, site) => (n > 0 ? [site] : []));
  const all: Part[] = [];
  for (const site of sites) {
    const replicas: string[] = [];
    for (let j = 1; j <= (most[site] ?? 0); j += 1) {
      const name = `y${site}_${j}`;
      text.binary(name, problem.marginal(site, j));
      const before = replicas.at(-1);
      if (before !== undefined)
        text.row(
          [
            [1, name],
            [-1, before],
          ],
          '<=',
          0,
        );
      replicas.push(name);
      all.push([1, name]);
    }
    const load: Part[] = replicas.map((name) => [-problem.replicaCapacity, name]);
    for (const [p, weight] of problem.weights.entries()) {
      const name = `x${site}_${p}`;
      text.variable(name, problem.pair(site, p));
      text.row(
        [
          [1, name],
          [-1, `y${site}_1`],
        ],
        '<=',
        0,
      );
      load.push([weight, name]);
    }
    text.row(load, '<=', 0);
  }
  for (const p of problem.weights.keys()) {
    text.row(
      sites.map((site): Part => [1, `x${site}_${p}`]),
      '=',
      1,
    );
  }
  text.row(all, '>=', problem.least);
  text.row(all, '<=', problem.most);
  return text.toString();
}

type Part = readonly [factor: number, variable: string];

/** A model in the CPLEX LP format; every variable is between 0 and 1. */
class LpText {
  readonly #objective: string[] = [];
  readonly #rows: string[] = [];
  readonly #bounds: string[] = [];
  readonly #binaries: string[] = [];

  variable(name: string, cost: number): void {
    this.#objective.push(term([cost, name]));
    this.#bounds.push(`0 <= ${name} <= 1`);
  }

  binary(name: string, cost: number): void {
    this.#objective.push(term([cost, name]));
    this.#binaries.push(name);
  }

  row(parts: readonly Part[], sign: '<=' | '=' | '>=', right: number): void {
    this.#rows.push(`r${this.#rows.length}: ${parts.map(term).join('\n ')} ${sign} ${right}`);
  }

  toString(): string {
    return [
      'Minimize\nobj:',
      ...this.#objective,
      'Subject To',
      ...this.#rows,
      'Bounds',
      ...this.#bounds,
      ...(this.#binaries.length > 0 ? ['Binary', ...this.#binaries] : []),
      'End',
    ].join('\n');
  }
}

function term([factor, variable]: Part): string {
  return `${factor < 0 ? '-' : '+'} ${Math.abs(factor)} ${variable}`;
}
