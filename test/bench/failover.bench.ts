// What dies, how soon it is noticed, replaced and taken back: real servers, agents and links in namespaces of their own.
import { parseArgs } from 'node:util';
import { ensureNatsServer } from '@skerry/nats-server';
import { endOnSignals } from './failover-ends.js';
import { PARTS, type Sizes } from './failover-parts.js';
import { Report } from './report.js';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    part: { type: 'string', multiple: true },
    runs: { type: 'string' },
    quick: { type: 'boolean', default: false },
  },
});

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

const wanted = values.part ?? Object.keys(PARTS);
const unknown = wanted.find((name) => !(name in PARTS));
if (unknown !== undefined) {
  process.stderr.write(`there is no part ${unknown}; there are: ${Object.keys(PARTS).join(', ')}\n`);
  process.exit(2);
}
const base = values.quick ? QUICK : FULL;
const runs = values.runs === undefined ? undefined : Number(values.runs);
const sizes: Sizes =
  runs === undefined ? base : { ...base, realRuns: runs, mockRuns: runs, hubRuns: runs, catchUpRuns: runs };

endOnSignals();
const report = new Report(values.json);
const nats = await ensureNatsServer();
report.machine(nats.version);
let failed = 0;
for (const name of wanted) {
  const beganAt = performance.now();
  const say = (line: string) =>
    process.stderr.write(`[${name} ${Math.round((performance.now() - beganAt) / 1_000)} s] ${line}\n`);
  try {
    await PARTS[name]?.({ report, sizes, say });
  } catch (error) {
    failed += 1;
    say(`failed: ${error instanceof Error ? error.message : String(error)}`);
  }
}
process.exit(failed === 0 ? 0 : 1);
