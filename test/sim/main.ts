import { runSeed, type Outcome } from './scenario.js';

/** Between two lines of progress. */
const PROGRESS_MS = 10_000;

interface Options {
  first: number;
  count: number;
  /** One seed, with its transcript. */
  replay: boolean;
  json: boolean;
  /** Seconds after which no further seed is begun. */
  withinS: number;
  /** Ends with the first seed that fails. */
  firstFailure: boolean;
}

/** What a run of many seeds says with `--json`. */
interface Report {
  seeds: number;
  steps: number;
  virtualS: number;
  seconds: number;
  cpuS: number;
  seedsPerS: number;
  failed: { seed: number; invariant: string; detail: string }[];
  /** Of all transcripts, in order. */
  digest: string;
}

function optionsOf(argv: readonly string[]): Options {
  const value = (name: string) => (argv.includes(name) ? Number(argv[argv.indexOf(name) + 1]) : undefined);
  const one = value('--seed');
  const numbers = [one, value('--from'), value('--seeds'), value('--within')];
  if (numbers.some((n) => n !== undefined && !(Number.isSafeInteger(n) && n >= 0))) {
    throw new Error(
      'usage: sim [--seed N | --seeds COUNT [--from N]] [--within SECONDS] [--first-failure] [--json]',
    );
  }
  return {
    first: one ?? value('--from') ?? 1,
    count: one === undefined ? (value('--seeds') ?? 200) : 1,
    replay: one !== undefined,
    json: argv.includes('--json'),
    withinS: value('--within') ?? Infinity,
    firstFailure: argv.includes('--first-failure'),
  };
}

/** Virtual time has replaced the usual clocks. */
const realTime = process.hrtime.bigint.bind(process.hrtime);
const seconds = () => Number(realTime()) / 1e9;

async function run(options: Options): Promise<Report> {
  const began = seconds();
  const report: Report = {
    seeds: 0,
    steps: 0,
    virtualS: 0,
    seconds: 0,
    cpuS: 0,
    seedsPerS: 0,
    failed: [],
    digest: '',
  };
  let said = began;
  for (let i = 0; i < options.count && seconds() - began < options.withinS; i++) {
    const outcome = await runSeed(options.first + i);
    report.seeds += 1;
    report.steps += outcome.steps;
    report.virtualS += outcome.tookMs / 1_000;
    if (outcome.broken !== undefined) report.failed.push({ seed: outcome.seed, ...outcome.broken });
    report.digest = outcome.digest;
    tell(outcome, options);
    if (options.firstFailure && report.failed.length > 0) break;
    if (seconds() - said < PROGRESS_MS / 1_000) continue;
    said = seconds();
    process.stderr.write(
      `${report.seeds} of ${options.count} seeds, ${report.steps} steps, ${report.failed.length} failed\n`,
    );
  }
  const { user, system } = process.cpuUsage();
  report.seconds = seconds() - began;
  report.cpuS = (user + system) / 1e6;
  report.seedsPerS = report.seeds / report.seconds;
  return report;
}

function tell({ seed, broken, transcript, digest }: Outcome, { json, replay }: Options): void {
  if (json) return;
  if (replay) process.stdout.write(`${transcript.text()}\ndigest ${digest}\n`);
  if (broken === undefined) return;
  if (!replay) process.stdout.write(`${transcript.text(40)}\n`);
  process.stdout.write(
    `seed ${seed} breaks "${broken.invariant}": ${broken.detail}\nagain: npm run sim -- --seed ${seed}\n\n`,
  );
}

const options = optionsOf(process.argv.slice(2));
// Errors are many in a simulation, and few are looked at.
if (!options.replay) Error.stackTraceLimit = 0;
const report = await run(options);
if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`);
else {
  const { seeds, steps, virtualS, failed, cpuS, seedsPerS } = report;
  process.stdout.write(
    `${seeds} seeds, ${steps} steps, ${(virtualS / 3_600).toFixed(1)} h of virtual time, ${failed.length} failed; ` +
      `${report.seconds.toFixed(1)} s (${cpuS.toFixed(1)} s of processor), ${seedsPerS.toFixed(1)} seeds/s\n`,
  );
}
process.exitCode = report.failed.length === 0 ? 0 : 1;
