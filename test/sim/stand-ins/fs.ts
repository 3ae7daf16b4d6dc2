import { theTimeline } from '@skerry/sim';

/** As much of `node:fs` as agents read of the kernel: how long the machine has been up, in seconds. */
export function readFileSync(path: string): string {
  if (path === '/proc/uptime') return `${(theTimeline().current.machineMs / 1_000).toFixed(2)} 0.00\n`;
  throw new Error(`not simulated: ${path}`);
}
