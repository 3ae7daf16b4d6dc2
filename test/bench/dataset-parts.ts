import { converge } from './dataset-cut.js';
import { measureLag } from './dataset-lag.js';
import { openMillion } from './dataset-million.js';
import { manyDatasets } from './dataset-thousand.js';
import type { Report } from './report.js';

/** How much is measured. */
export interface Sizes {
  /** Writes of each rule on an idle link. */
  lagWrites: number;
  bulkWrites: number;
  /** How long a site is cut off silently. */
  cutMs: number;
  /** Writes on each side meanwhile. */
  cutWrites: number;
  /** Of the one large dataset. */
  keys: number;
  datasets: number;
}

export interface PartContext {
  report: Report;
  sizes: Sizes;
  /** Progress, for people. */
  say: (line: string) => void;
  /** Path of the server's program. */
  natsServer: string;
}

/** The parts of the benchmark, each with a cloud of its own. */
export const PARTS: Readonly<Record<string, (context: PartContext) => Promise<void>>> = {
  lag: measureLag,
  cut: converge,
  million: openMillion,
  thousand: manyDatasets,
};
