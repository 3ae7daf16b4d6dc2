// How much of a cluster's GPUs each way of packing gets allocated, on the protocol of the FGD paper: nodes with a GPU,
// tasks drawn from the trace until their GPUs add up to 1.3 times what there is, none leaves, what does not fit is gone.
import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import type { Resources } from '@skerry/contracts';
import {
  classesOf,
  gpuMilliOf,
  NodePacker,
  PACKING_POLICIES,
  seededStream,
  WHOLE_GPU,
  type PackingNode,
  type PackingPolicyName,
  type PackingSetup,
} from '@skerry/domain';
import { DEFAULT_NODES, DEFAULT_PODS, readTrace } from './openb.js';
import { Report } from './report.js';

const LOAD = 1.3;
const SEEDS = 10;
const FIGURES: [PackingPolicyName, string][] = [
  ['least-stranded', 'packing.gpu_allocated_pct'],
  ['fgd', 'packing.fgd_pct'],
  ['best-fit', 'packing.best_fit_pct'],
  ['first-fit', 'packing.first_fit_pct'],
  ['dot-product', 'packing.dot_product_pct'],
  ['gpu-packing', 'packing.gpu_packing_pct'],
  ['random', 'packing.random_pct'],
];

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    nodes: { type: 'string', default: DEFAULT_NODES },
    pods: { type: 'string', default: DEFAULT_PODS },
    seeds: { type: 'string', default: String(SEEDS) },
  },
});
const report = new Report(values.json);
const trace = await readTrace(values.nodes, values.pods);
if (trace) measure(trace.nodes, trace.tasks);
else {
  report.say(
    `skipped: there is no trace at ${values.nodes} and ${values.pods}; name one with --nodes and --pods`,
  );
}

function measure(all: readonly PackingNode[], tasks: readonly Resources[]): void {
  const [cpu] = cpus();
  const nodes = all.filter((n) => (n.gpus ?? 0) > 0);
  const gpus = nodes.reduce((sum, n) => sum + (n.gpus ?? 0), 0);
  const seeds = Number(values.seeds);
  report.say(
    `${cpus().length} x ${cpu?.model.trim() ?? 'unknown processor'}, ${Math.round(totalmem() / 1024 ** 3)} GiB, Node ${process.versions.node}, one thread`,
  );
  report.say(
    `${nodes.length} nodes with ${gpus} GPUs, ${tasks.length} tasks to draw from, ${seeds} seeds, arrivals of ${LOAD} times the GPUs`,
  );
  const expected = classesOf(tasks);
  const draws = Array.from({ length: seeds }, (_, i) => drawn(tasks, gpus * WHOLE_GPU * LOAD, i + 1));
  for (const [policy, figure] of FIGURES) {
    const runs = draws.map((draw, i) => run(draw, policy, { nodes, expected, seed: i + 1 }));
    report.add(figure, mean(runs.map((r) => (100 * r.milli) / (gpus * WHOLE_GPU))), '%');
    if (policy !== 'least-stranded') continue;
    const decisions = runs.reduce((sum, r) => sum + r.decisions, 0);
    report.add('packing.decisions_per_s', decisions / runs.reduce((sum, r) => sum + r.seconds, 0), '1/s');
  }
}

/** Tasks drawn with replacement until their GPUs add up to `milli` thousandths. */
function drawn(tasks: readonly Resources[], milli: number, seed: number): Resources[] {
  if (!tasks.some(({ gpu }) => gpu)) throw new Error('no task of this trace wants a GPU');
  const next = seededStream(seed);
  const draw: Resources[] = [];
  for (let sum = 0; sum < milli;) {
    const task = tasks[Math.floor(next() * tasks.length)];
    if (!task) throw new Error('there is no task to draw');
    draw.push(task);
    sum += gpuMilliOf(task.gpu);
  }
  return draw;
}

/** Processor time of this one thread counts, so that what else runs on the machine does not. */
function run(draw: readonly Resources[], policy: PackingPolicyName, setup: PackingSetup) {
  const packer = new NodePacker(setup.nodes.map(named), PACKING_POLICIES[policy](setup));
  const from = process.cpuUsage();
  let milli = 0;
  for (const task of draw) if (packer.place(task)) milli += gpuMilliOf(task.gpu);
  const { user, system } = process.cpuUsage(from);
  return { milli, decisions: draw.length, seconds: (user + system) / 1e6 };
}

function named(node: PackingSetup['nodes'][number], index: number): PackingNode {
  return { name: `node-${index}`, ...node };
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0) / numbers.length;
}
