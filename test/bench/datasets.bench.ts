// Datasets between sites: how far writes lag, how fast many go, what a silent cut leaves, and what a large copy takes.
import { parseArgs } from 'node:util';
import { copyTaskSchema, doCopyTask } from './dataset-million.js';
import { PARTS, type Sizes } from './dataset-parts.js';
import { PART_OPTIONS, runParts } from './run-parts.js';

const { values } = parseArgs({
  options: {
    ...PART_OPTIONS,
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
  fillKeys: 200_000,
};
const QUICK: Sizes = {
  lagWrites: 100,
  bulkWrites: 4_000,
  cutMs: 15_000,
  cutWrites: 4_000,
  keys: 100_000,
  datasets: 100,
  fillKeys: 20_000,
};

await runParts(PARTS, values.quick ? QUICK : FULL, values);
