import type { Users } from './demand/users.js';
import type { Sifted } from './sift.js';

/** Candidates that the search looks at when there are more. */
export const CANDIDATES_MAX = 256;

/** Keeps the sites worth searching, by ascending index. */
export function worthSearching(sifted: Sifted, _users: Users): Int32Array {
  return sifted.feasible;
}
