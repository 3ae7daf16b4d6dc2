// Datasets between sites: how far writes lag, how fast many go, what a silent cut leaves, and what a large copy takes.
import { parseArgs } from 'node:util';
import { ensureNatsServer } from '@skerry/nats-server';
import { copyTaskSchema, doCopyTask } from './dataset-million.js';
import { PARTS, type Sizes } from './dataset-parts.js';
import { endOnSignals } from './failover-ends.js';
import { Report } from './report.js';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    part: { type: 'string', multiple: true },
    quick: { type: 'boolean', default: false },
    /** Set for the process that the part `million` starts. */
    'copy-task': { type: 'string' },
    folder: { type: 'string' },
    keys: { type: 'string' },
  },
});

const task = values['copy-task'];
if (task !== undefined) {
  await doCopyTask(task, copyTaskSchema.parse({ folder: values.folder, keys: values.keys }));
  process.exit(0);
}

const FULL: Sizes = {
  lagWrites: 500,
  bulkWrites: 20_000,
  cutMs: 60_000,
  cutWrites: 20_000,
  keys: 1_000_000,
  datasets: 1_000,
};
const QUICK: Sizes = {
  lagWrites: 100,
  bulkWrites: 4_000,
  cutMs: 15_000,
  cutWrites: 4_000,
  keys: 100_000,
  datasets: 100,
};

const wanted = values.part ?? Object.keys(PARTS);
const unknown = wanted.find((name) => !(name in PARTS));
if (unknown !== undefined) {
  process.stderr.write(`there is no part ${unknown}; there are: ${Object.keys(PARTS).join(', ')}\n`);
  process.exit(2);
}
const sizes = values.quick ? QUICK : FULL;

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
    await PARTS[name]?.({ report, sizes, say, natsServer: nats.path });
  } catch (error) {
    failed += 1;
    say(`failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  }
}
process.exit(failed === 0 ? 0 : 1);
