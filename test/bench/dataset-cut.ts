import { setTimeout as sleep } from 'node:timers/promises';
import { DataCloud } from './dataset-cloud.js';
import type { PartContext } from './dataset-parts.js';

const SITES = ['one', 'two', 'three'];
const [HERE, AWAY] = ['one', 'two'];
/** Of each side's writes: every tenth counts, every tenth is on a key that both write, the rest on keys of its own. */
const OF_TEN = 10;
const SHARED_KEYS = 100;
const IN_FLIGHT = 32;
const CONVERGED_MS = 120_000;
const LOOK_MS = 100;

/** What was acknowledged at one side. */
interface Side {
  site: string;
  own: Map<string, string>;
  counts: number;
  shared: Set<string>;
}

/**
 * `data.converge_after_cut_ms`: a site is cut off silently while both sides write; from the link's return until all sites have the
 * same digests and nothing to send. `data.lost_writes`: what was acknowledged and is not at every site.
 */
export async function converge({ report, sizes, say }: PartContext): Promise<void> {
  const cloud = await DataCloud.start(SITES);
  try {
    await cloud.make({ cart: 'newest', hits: 'counter' });
    cloud.lab.cut(AWAY);
    const cutAt = performance.now();
    const sides = await Promise.all(
      [HERE, AWAY].map(async (site) => await write(cloud, site, sizes.cutWrites)),
    );
    say(`${sizes.cutWrites} writes on each side took ${Math.round(performance.now() - cutAt)} ms`);
    await sleep(Math.max(0, sizes.cutMs - (performance.now() - cutAt)));
    cloud.lab.heal(AWAY);
    const healedAt = performance.now();
    while (!(await cloud.isSame(['cart', 'hits']).catch(() => false))) {
      if (performance.now() - healedAt > CONVERGED_MS) throw new Error('the copies do not converge');
      await sleep(LOOK_MS);
    }
    report.add('data.converge_after_cut_ms', performance.now() - healedAt, 'ms');
    report.add('data.lost_writes', await lost(cloud, sides), 'writes');
  } finally {
    await cloud.end();
  }
}

async function write(cloud: DataCloud, site: string, count: number): Promise<Side> {
  const side: Side = { site, own: new Map(), counts: 0, shared: new Set() };
  const door = cloud.door(site);
  let next = 0;
  const one = async (n: number) => {
    if (n % OF_TEN === 0) {
      await door.post('hits', 'all', { count: 1 });
      side.counts += 1;
    } else if (n % OF_TEN === 1) {
      const value = `${site} ${n}`;
      await door.put('cart', `shared-${n % SHARED_KEYS}`, value);
      side.shared.add(`shared-${n % SHARED_KEYS}`);
    } else {
      await door.put('cart', `${site}-${n}`, String(n));
      side.own.set(`${site}-${n}`, String(n));
    }
  };
  const worker = async () => {
    while (next < count) await one(next++);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  return side;
}

/** Own keys that some site has not, counts that are missing or too many, and shared keys that are not the same everywhere. */
async function lost(cloud: DataCloud, sides: readonly Side[]): Promise<number> {
  const held = await Promise.all(SITES.map(async (site) => await cloud.door(site).all('cart')));
  const wanted = sides.reduce((sum, { counts }) => sum + counts, 0);
  let missing = 0;
  for (const site of SITES) {
    const counted = Number((await cloud.door(site).get('hits', 'all'))?.['number'] ?? 0);
    missing += Math.abs(wanted - counted);
  }
  for (const copy of held) {
    for (const { own } of sides)
      for (const [key, value] of own) if (copy.get(key)?.['value'] !== value) missing += 1;
    for (const { shared } of sides)
      for (const key of shared) if (copy.get(key)?.['value'] !== held[0]?.get(key)?.['value']) missing += 1;
  }
  return missing;
}
