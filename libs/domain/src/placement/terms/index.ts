import type { Term } from '@skerry/contracts';
import type { Choice, ObjectiveTerm, Problem } from '../types.js';
import { balance } from './balance.js';
import { concentration } from './concentration.js';
import { latency } from './latency.js';
import { preference } from './preference.js';
import { price } from './price.js';
import { stability } from './stability.js';

/** Every term of the objective. */
export const TERMS: readonly ObjectiveTerm[] = [
  latency,
  price,
  preference,
  balance,
  concentration,
  stability,
];

/** What a choice costs, in currency units a month; lower is better. */
export function objectiveOf(problem: Problem, choice: Choice): number {
  let sum = 0;
  for (const term of TERMS) sum += term.value(problem, choice) * term.weight(problem.weights);
  return sum;
}

/** Each term of a choice with its number, its unit and what it adds to the objective. */
export function termsOf(problem: Problem, choice: Choice): Term[] {
  return TERMS.map((term) => {
    const value = term.value(problem, choice);
    return { term: term.name, value, unit: term.unit, cost: value * term.weight(problem.weights) };
  });
}
