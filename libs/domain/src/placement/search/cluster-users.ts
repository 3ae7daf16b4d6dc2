import type { DemandPoint } from '@skerry/contracts';
import type { Users } from '../demand/users.js';

/** A part of the users and how far it is spread. */
interface Part {
  readonly from: number;
  readonly to: number;
  /** The axis along which it is widest, and where to cut it. */
  readonly axis: 0 | 1 | 2;
  readonly cut: number;
  /** Weight times squared distance from the middle, along that axis. */
  readonly spread: number;
}

/**
 * Gathers users into at most `most` locations, each where the middle of its users is: what the search looks at in place of
 * thousands. Parts are cut in two where it lessens the squared distances most (as k-d trees for k-means: Kanungo et al.
 * 2002), along their widest axis. Returns the users themselves when there are no more than that.
 */
export function clusterUsers(users: Users, most: number): readonly DemandPoint[] {
  if (users.count <= most) return users.points;
  const order = Int32Array.from({ length: users.count }, (_, p) => p);
  const parts: Part[] = [partOf(users, order, 0, users.count)];
  while (parts.length < most) {
    let widest = 0;
    for (let n = 1; n < parts.length; n += 1) {
      if ((parts[n]?.spread ?? 0) > (parts[widest]?.spread ?? 0)) widest = n;
    }
    const part = parts[widest];
    if (!part || part.spread <= 0) break;
    const middle = divide(users, order, part);
    // All on one side, by rounding: as good as one place.
    if (middle === part.from || middle === part.to) {
      parts[widest] = { ...part, spread: 0 };
      continue;
    }
    parts[widest] = partOf(users, order, part.from, middle);
    parts.push(partOf(users, order, middle, part.to));
  }
  return parts.map((part, n) => middleOf(users, order, part, n));
}

function partOf(users: Users, order: Int32Array, from: number, to: number): Part {
  const [weight, x, y, z, xx, yy, zz] = sums(users, order, from, to);
  const spreads = [xx - (x * x) / weight, yy - (y * y) / weight, zz - (z * z) / weight] as const;
  const axis = spreads[0] >= spreads[1] && spreads[0] >= spreads[2] ? 0 : spreads[1] >= spreads[2] ? 1 : 2;
  const cut = ([x, y, z] as const)[axis] / weight;
  return { from, to, axis, cut, spread: to - from > 1 ? spreads[axis] : 0 };
}

function sums(users: Users, order: Int32Array, from: number, to: number) {
  let [weight, x, y, z, xx, yy, zz] = [0, 0, 0, 0, 0, 0, 0];
  for (let n = from; n < to; n += 1) {
    const p = order[n] ?? 0;
    const w = users.weight[p] ?? 0;
    const px = users.x[p] ?? 0;
    const py = users.y[p] ?? 0;
    const pz = users.z[p] ?? 0;
    weight += w;
    x += w * px;
    y += w * py;
    z += w * pz;
    xx += w * px * px;
    yy += w * py * py;
    zz += w * pz * pz;
  }
  return [weight, x, y, z, xx, yy, zz] as const;
}

/** Puts the users on one side of the cut before the others; returns where the others begin. */
function divide(users: Users, order: Int32Array, { from, to, axis, cut }: Part): number {
  const along = [users.x, users.y, users.z][axis] ?? users.x;
  let low = from;
  let high = to;
  while (low < high) {
    const p = order[low] ?? 0;
    if ((along[p] ?? 0) < cut) {
      low += 1;
      continue;
    }
    high -= 1;
    order[low] = order[high] ?? 0;
    order[high] = p;
  }
  return low;
}

function middleOf(users: Users, order: Int32Array, { from, to }: Part, n: number): DemandPoint {
  const [only] = to - from === 1 ? [users.points[order[from] ?? 0]] : [];
  const [weight, x, y, z] = sums(users, order, from, to);
  if (only) return { ...only, weight };
  return {
    label: `users ${n}`,
    lat: (Math.atan2(z, Math.hypot(x, y)) * 180) / Math.PI,
    lon: (Math.atan2(y, x) * 180) / Math.PI,
    weight,
  };
}
