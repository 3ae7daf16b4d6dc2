import { converge } from './dataset-cut.js';
import { fillSite } from './dataset-fill.js';
import { measureLag } from './dataset-lag.js';
import { openMillion } from './dataset-million.js';
import { manyDatasets } from './dataset-thousand.js';
import type { PartContext as Context, Parts } from './run-parts.js';

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
  /** Of the dataset that comes to a second site. */
  fillKeys: number;
}

export type PartContext = Context<Sizes>;

/** The parts of the benchmark, each with a cloud of its own. */
export const PARTS: Parts<Sizes> = {
  lag: measureLag,
  cut: converge,
  million: openMillion,
  thousand: manyDatasets,
  fill: fillSite,
};
