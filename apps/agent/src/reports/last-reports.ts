import { setTimeout as sleep } from 'node:timers/promises';
import { SITE_STREAMS } from '@skerry/contracts';
import type { NodeAgent } from '../node-agent.js';
import type { Uplink } from '../uplink.js';

const POLL_MS = 50;

/**
 * Waits until the hub has stored all that there is to report, for at most `withinMs`: an agent that ends and stopped
 * its replicas would else be believed to run them still. What is left then lies in the outbox for the next agent.
 */
export async function lastReports(agent: NodeAgent, uplink: Uplink, withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (performance.now() < deadline) {
    if (agent.reporter.idle && uplink.command?.idle !== false && (await isEmpty(uplink))) return;
    await sleep(POLL_MS);
  }
  agent.log.warn('ends before all reports were with the hub');
}

async function isEmpty({ connection }: Uplink): Promise<boolean> {
  try {
    return (await connection?.streamState(SITE_STREAMS.OUT))?.messages === 0;
  } catch {
    return false; // The site's server is away, too.
  }
}
