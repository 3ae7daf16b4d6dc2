import type { Covers } from './copy-home.js';

/** Where a copy is, and whose. */
export interface CopyOptions {
  path: string;
  site: string;
  /** Who writes in it, when it is made. */
  store: string;
  /** Whether a lease of the site covers a home that moves. Default: never. */
  covers?: Covers;
  /** Called with keys that show something else now. */
  onChange: (keys: readonly string[]) => void;
}
