import { runSeed } from './scenario.js';
import { cpuSeconds, Tally, toldOf } from './tally.js';
import { runInWorkers, runPart, type Part } from './workers.js';

interface Options {
  seeds: readonly number[];
  /** One seed, with its transcript. */
  replay: boolean;
  json: boolean;
  /** Seconds after which no further seed is begun. */
  withinS: number;
  /** Ends with the first seed that fails. */
  firstFailure: boolean;
  workers: number;
  part: Part | undefined;
}

function optionsOf(argv: readonly string[]): Options {
  const text = (name: string) => (argv.includes(name) ? argv[argv.indexOf(name) + 1] : undefined);
  const value = (name: string) => (argv.includes(name) ? Number(text(name)) : undefined);
  const one = value('--seed');
  const workers = value('--workers');
  const also = (text('--also') ?? '').split(',').flatMap((seed) => (seed === '' ? [] : [Number(seed)]));
  const numbers = [one, workers, value('--from'), value('--seeds'), value('--within'), ...also];
  if (workers === 0 || numbers.some((n) => n !== undefined && !(Number.isSafeInteger(n) && n >= 0))) {
    throw new Error(
      'usage: sim [--seed N | --seeds COUNT [--from N] [--also N,N...] [--workers N]] [--within SECONDS] [--first-failure] [--json]',
    );
  }
  const [index, of] = (text('--part') ?? '').split('/').map(Number);
  const first = value('--from') ?? 1;
  const range = Array.from({ length: value('--seeds') ?? 200 }, (_, i) => first + i);
  return {
    seeds: one === undefined ? [...range, ...also] : [one],
    replay: one !== undefined,
    json: argv.includes('--json'),
    withinS: value('--within') ?? Infinity,
    firstFailure: argv.includes('--first-failure'),
    workers: one === undefined ? (workers ?? 1) : 1,
    part: index === undefined || of === undefined ? undefined : { index, of },
  };
}

/** The seeds that this process runs, as long as there is time. */
function* seedsOf({ seeds, part, withinS }: Options, tally: Tally): Generator<number> {
  const { index, of } = part ?? { index: 0, of: 1 };
  for (const [i, seed] of seeds.entries()) {
    if (tally.forS >= withinS) return;
    if (i % of === index) yield seed;
  }
}

async function replay(seed: number, { json }: Options, tally: Tally): Promise<void> {
  const { transcript, ...outcome } = await runSeed(seed);
  if (!json) process.stdout.write(`${transcript.text()}\ndigest ${outcome.digest}\n`);
  tally.add(outcome);
}

async function runHere(options: Options, tally: Tally): Promise<void> {
  for (const seed of seedsOf(options, tally)) {
    if (options.replay) await replay(seed, options, tally);
    else tally.add(toldOf(await runSeed(seed)));
    if (options.firstFailure && tally.report.failed.length > 0) return;
  }
}

const options = optionsOf(process.argv.slice(2));
const tally = new Tally(options.seeds.length, options.json);
// Errors are many in a simulation, and few are looked at.
if (!options.replay) Error.stackTraceLimit = 0;
if (options.part !== undefined) {
  await runPart(seedsOf(options, tally), async (seed) => toldOf(await runSeed(seed)));
} else {
  let cpuS = 0;
  if (options.workers > 1) cpuS = await runInWorkers(options.workers, tally, options);
  else await runHere(options, tally);
  const report = tally.end(cpuS + cpuSeconds());
  if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`);
  process.exitCode = report.failed.length === 0 ? 0 : 1;
}
