// The placement engine alone, in memory: how fast, how good, how much it needs. Each part is a process of its own, so that
// none finds the memory or the compiled code of another.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { million } from './placement-million.js';
import { pruning } from './placement-pruning.js';
import { quality } from './placement-quality.js';
import { rebalancing } from './placement-rebalance.js';
import { speed } from './placement-speed.js';
import { Report } from './report.js';

export interface PartOptions {
  /** Fewer instances, for a first look: the figures are not those of README.md. */
  readonly quick: boolean;
  /** The repository. */
  readonly root: string;
}
type Part = (report: Report, options: PartOptions) => Promise<void>;

const PARTS: Readonly<Record<string, Part>> = {
  speed,
  pruning,
  quality,
  million,
  rebalancing,
};

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    /** Only this one, in this process. */
    part: { type: 'string' },
  },
});
const report = new Report(values.json);
if (values.part === undefined) {
  report.machine();
  for (const name of Object.keys(PARTS)) await inOwnProcess(name);
} else {
  const part = PARTS[values.part];
  if (!part) throw new Error(`--part is one of ${Object.keys(PARTS).join(', ')}`);
  await part(report, { quick: values.quick, root: resolve('.') });
}

async function inOwnProcess(name: string): Promise<void> {
  const [self = ''] = process.argv.slice(1);
  const options = [...(values.json ? ['--json'] : []), ...(values.quick ? ['--quick'] : [])];
  report.say(name);
  const child = spawn(process.execPath, [...process.execArgv, self, '--part', name, ...options], {
    stdio: 'inherit',
  });
  const [code]: unknown[] = await once(child, 'close');
  if (code !== 0) throw new Error(`the part ${name} failed (code ${String(code)})`);
}
