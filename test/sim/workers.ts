import { fork, type ChildProcess } from 'node:child_process';
import { cpuSeconds, type Tally, type Told } from './tally.js';

/** Which seeds one of several processes runs: every `of`th. */
export interface Part {
  index: number;
  of: number;
}

type Word = { told: Told } | { cpuS: number };

/**
 * Runs the seeds in so many processes and adds them up in their order, whichever is done first. Resolves with the seconds of
 * processor that they have taken. Each process is this one's own program with the same arguments and `--part`.
 */
export async function runInWorkers(
  workers: number,
  tally: Tally,
  options: { seeds: readonly number[]; firstFailure: boolean },
): Promise<number> {
  const waiting = new Map<number, Told>();
  const order = options.seeds.values();
  let next = order.next();
  let cpuS = 0;
  const children: ChildProcess[] = [];
  const isOver = () => options.firstFailure && tally.report.failed.length > 0;
  const take = (told: Told) => {
    waiting.set(told.seed, told);
    while (next.done !== true && !isOver()) {
      const due = waiting.get(next.value);
      if (due === undefined) break;
      waiting.delete(next.value);
      next = order.next();
      tally.add(due);
    }
    if (isOver()) for (const child of children) child.kill();
  };
  const all = Array.from({ length: workers }, async (_, index) => {
    const [, program = '', ...args] = process.argv;
    const child = fork(program, [...args, '--part', `${index}/${workers}`]);
    children.push(child);
    child.on('message', (word: Word) => {
      if ('told' in word) take(word.told);
      else cpuS += word.cpuS;
    });
    const code = await new Promise<number | null>((ended) => child.on('exit', ended));
    if (code !== 0 && !isOver()) throw new Error(`a process of the simulation ended with ${code}`);
  });
  await Promise.all(all);
  // Time was over: one process came further than the others.
  if (!isOver())
    for (const seed of options.seeds) {
      const told = waiting.get(seed);
      if (told !== undefined) tally.add(told);
    }
  return cpuS;
}

/** One of these processes: runs its seeds as long as there are some, and tells of each. */
export async function runPart(seeds: Iterable<number>, run: (seed: number) => Promise<Told>): Promise<void> {
  for (const seed of seeds) await tell({ told: await run(seed) });
  await tell({ cpuS: cpuSeconds() });
  process.disconnect();
}

function tell(word: Word): Promise<void> {
  return new Promise((resolve, reject) => {
    if (process.send === undefined) throw new Error('--part is for processes that another has started');
    process.send(word, (error: Error | null) => (error === null ? resolve() : reject(error)));
  });
}
