import type { DemandPoint } from '@skerry/contracts';
import { positionOf, type Position } from '../geo.js';
import type { PlaceRequest } from '../types.js';

/** User locations that a search looks at; figures are of all of them. */
export const SEARCHED_USERS_MAX = 2_000;
/** However many have measurements of their own: so many of the others are looked at. */
const OTHERS_MIN = 500;

type Measured = PlaceRequest['measuredMs'];

/**
 * At most some thousand locations in place of many: the heaviest, and those with measurements of their own, stay; each of the
 * others counts where the nearest that stayed is. Costs users times those that stay.
 */
export function gatherUsers(
  users: readonly DemandPoint[],
  measuredMs: Measured,
): { users: readonly DemandPoint[]; measuredMs: Measured } {
  const own = new Set([...users.keys()].filter((i) => measuredMs?.[i] !== undefined));
  const others = [...users.keys()].filter((i) => !own.has(i));
  const most = Math.max(OTHERS_MIN, SEARCHED_USERS_MAX - own.size);
  if (others.length <= most) return { users, measuredMs };
  const heaviest = others
    .toSorted((a, b) => (users[b]?.weight ?? 0) - (users[a]?.weight ?? 0) || a - b)
    .slice(0, most);
  const weights = users.map(({ weight }) => weight);
  const centres = heaviest.flatMap((i) => {
    const user = users[i];
    return user ? [{ i, at: positionOf(user) }] : [];
  });
  const stays = new Set([...own, ...heaviest]);
  for (const [i, user] of users.entries()) {
    if (stays.has(i)) continue;
    const centre = nearest(positionOf(user), centres);
    weights[centre] = (weights[centre] ?? 0) + user.weight;
  }
  const kept = [...users.keys()].filter((i) => stays.has(i));
  return {
    users: kept.flatMap((i) => {
      const user = users[i];
      return user ? [{ ...user, weight: weights[i] ?? user.weight }] : [];
    }),
    measuredMs: measuredMs && kept.map((i) => measuredMs[i]),
  };
}

function nearest(at: Position, centres: readonly { i: number; at: Position }[]): number {
  let best = centres[0]?.i ?? 0;
  let least = Number.POSITIVE_INFINITY;
  for (const centre of centres) {
    const squared = (at[0] - centre.at[0]) ** 2 + (at[1] - centre.at[1]) ** 2 + (at[2] - centre.at[2]) ** 2;
    if (squared < least) [best, least] = [centre.i, squared];
  }
  return best;
}
