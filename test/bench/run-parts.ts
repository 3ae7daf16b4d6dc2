import { ensureNatsServer } from '@skerry/nats-server';
import { endOnSignals } from './failover-ends.js';
import { Report } from './report.js';

/** What a part of a benchmark is given. */
export interface PartContext<Sizes> {
  report: Report;
  sizes: Sizes;
  /** Progress, for people. */
  say: (line: string) => void;
  /** Path of the server's program. */
  natsServer: string;
}

/** The parts of a benchmark by name, in the order in which they run. Each starts what it needs and ends it. */
export type Parts<Sizes> = Readonly<Record<string, (context: PartContext<Sizes>) => Promise<void>>>;

/** Options, as `parseArgs` wants them, of every benchmark that is made of parts. */
export const PART_OPTIONS = {
  json: { type: 'boolean', default: false },
  /** May be given several times; without, all. */
  part: { type: 'string', multiple: true },
  quick: { type: 'boolean', default: false },
} as const;

/** Runs the parts that are asked for, then ends the process: code 2 when there is no such part, 1 when one has failed. */
export async function runParts<Sizes>(
  parts: Parts<Sizes>,
  sizes: Sizes,
  asked: { json: boolean; part?: string[] | undefined },
): Promise<never> {
  const names = Object.keys(parts);
  const wanted = asked.part ?? names;
  const unknown = wanted.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    process.stderr.write(`there is no part ${unknown}; there are: ${names.join(', ')}\n`);
    process.exit(2);
  }
  endOnSignals();
  const report = new Report(asked.json);
  const nats = await ensureNatsServer();
  report.machine(nats.version);
  let failed = 0;
  for (const name of wanted) {
    const say = progressOf(name);
    try {
      await parts[name]?.({ report, sizes, say, natsServer: nats.path });
    } catch (error) {
      failed += 1;
      say(`failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
  }
  process.exit(failed === 0 ? 0 : 1);
}

function progressOf(part: string): (line: string) => void {
  const beganAt = performance.now();
  return (line) =>
    void process.stderr.write(`[${part} ${Math.round((performance.now() - beganAt) / 1_000)} s] ${line}\n`);
}
