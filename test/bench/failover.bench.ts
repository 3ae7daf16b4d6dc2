// What dies, how soon it is noticed, replaced and taken back: real servers, agents and links in namespaces of their own.
import { parseArgs } from 'node:util';
import { PARTS, type Sizes } from './failover-parts.js';
import { PART_OPTIONS, runParts } from './run-parts.js';

const { values } = parseArgs({ options: { ...PART_OPTIONS, runs: { type: 'string' } } });

const FULL: Sizes = {
  realRuns: 21,
  mockRuns: 200,
  sites: 16,
  atOnce: 5,
  hubRuns: 4,
  catchUpRuns: 24,
  simulatedSites: 1_000,
};
const QUICK: Sizes = {
  realRuns: 7,
  mockRuns: 12,
  sites: 9,
  atOnce: 3,
  hubRuns: 1,
  catchUpRuns: 4,
  simulatedSites: 1_000,
};

const base = values.quick ? QUICK : FULL;
const runs = values.runs === undefined ? undefined : Number(values.runs);
const sizes: Sizes =
  runs === undefined ? base : { ...base, realRuns: runs, mockRuns: runs, hubRuns: runs, catchUpRuns: runs };

await runParts(PARTS, sizes, values);
