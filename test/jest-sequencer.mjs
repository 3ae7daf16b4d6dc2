// Which file of tests begins first: those that take long, so that none of them is left running alone at the end; then by size.
import { statSync } from 'node:fs';
import { relative, sep } from 'node:path';

/** Files that take 20 s and more on two cores, the longest first. One that is gone is no harm; one that is missing costs time. */
const LONG = [
  'test/sim/sim.spec.ts',
  'test/e2e/datasets.e2e.ts',
  'test/e2e/start.e2e.ts',
  'test/e2e/crash.e2e.ts',
  'test/e2e/limits.e2e.ts',
  'test/e2e/flood.e2e.ts',
  'test/e2e/plan.e2e.ts',
  'test/e2e/dataset-workloads.e2e.ts',
  'apps/agent/src/several-nodes.spec.ts',
  'libs/bus/src/nats/nats-bus.spec.ts',
  'test/hub/replicator.e2e.ts',
  'test/api/cli-look.e2e.ts',
  'libs/bus/src/memory/memory-bus.spec.ts',
  'test/hub/telemetry.e2e.ts',
  'test/e2e/types.e2e.ts',
  'test/api/cli-change.e2e.ts',
  'apps/agent/src/agent.spec.ts',
];

/** @typedef {{ path: string, context: { config: { rootDir: string } } }} Test */

export default class LongestFirst {
  /** @param {Test[]} tests @returns {Test[]} */
  sort(tests) {
    const ranked = tests.map((test) => ({ test, rank: rankOf(test), bytes: statSync(test.path).size }));
    return ranked.toSorted((a, b) => a.rank - b.rank || b.bytes - a.bytes).map(({ test }) => test);
  }

  /** No test is sorted by how it fared before: every run has the same order. */
  cacheResults() {}

  /** @param {Test[]} tests @returns {Test[]} */
  allFailedTests(tests) {
    return tests;
  }
}

/** @param {Test} test @returns {number} */
function rankOf({ path, context }) {
  const at = LONG.indexOf(relative(context.config.rootDir, path).split(sep).join('/'));
  return at < 0 ? LONG.length : at;
}
