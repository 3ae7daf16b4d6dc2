import { setFlagsFromString } from 'node:v8';
import { COLD, nextHeat } from './heat.js';

const LOOK_MS = 500;

/**
 * First of all imports, for an agent that stays small: Node optimizes what is hot, and by its own measure all of a start is. An
 * agent at rest gains nothing from that, and the compiler alone is 4 MiB of the program that are touched for it; so there is
 * none until the agent has worked for a while (`heat.ts`), and none for what comes after when it rests again. (The simple
 * compiler before it costs nothing.) Saves 5 MiB.
 */
optimize(false);
let heat = COLD;
let [worked, lookedAt] = [process.cpuUsage(), performance.now()];
setInterval(() => {
  const now = performance.now();
  const { user, system } = process.cpuUsage(worked);
  const next = nextHeat(heat, [(user + system) / 1_000, now - lookedAt]);
  if (next.optimized !== heat.optimized) optimize(next.optimized);
  [heat, worked, lookedAt] = [next, process.cpuUsage(), now];
}, LOOK_MS).unref();

function optimize(wanted: boolean): void {
  setFlagsFromString(wanted ? '--opt' : '--no-opt');
}
