import { readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bus } from '@skerry/bus';
import { SITE } from '@skerry/contracts';
import { writeAtomic } from './files/atomic-file.js';
import type { LeafServer } from './leaf/leaf-server.js';
import { reason } from './log.js';
import type { NodeAgent } from './node-agent.js';
import { lastReports } from './reports/last-reports.js';
import type { Uplink } from './uplink.js';

/** Time for the last reports and the last word to reach the hub; after it the site is cleared all the same. */
const LAST_WORDS_MS = 30_000;
const POLL_MS = 100;
/** What a site that somebody else runs a server for leaves behind: that server's own files. */
const SERVER_FILES = new Set(['jetstream', 'nodes', 'leaf.conf', 'leaf.creds', 'leaf.log', 'tls']);

/** What the join line puts beside the site's folder to run the agent from. */
const JOINED_PROGRAM = 'skerry-agent.mjs';

/** Says, in a folder whose server is run by somebody else, that there is nothing to run any more. */
export const retiredMark = (dir: string): string => join(dir, 'retired');

/**
 * The end of a site: stops all replicas, tells the hub, and removes what was left on this machine. With a server of
 * its own the whole folder goes; else the mark `retired` stays beside that server's files.
 */
export async function retire(
  agent: NodeAgent,
  uplink: Uplink,
  server: LeafServer | undefined,
): Promise<void> {
  const { log, dir } = agent;
  log.info('this site was removed: stopping what runs');
  await agent.stopReplicas({ forget: true });
  const deadline = Date.now() + LAST_WORDS_MS;
  await lastReports(agent, uplink, LAST_WORDS_MS);
  if (agent.roster.several && uplink.command?.acting !== true) {
    // The controller speaks last, when the others are gone.
    await until(deadline, async () => await left(uplink.connection, agent));
  } else {
    await until(deadline, async () => Promise.resolve(agent.roster.members.size <= 1));
    await until(Date.now() + LAST_WORDS_MS, async () => await said(uplink.connection, agent));
  }
  await uplink.close();
  await agent.close();
  agent.cgroups.removeAll();
  await server?.stop();
  await clear(dir, server !== undefined);
  log.info('nothing of this site is left on this machine');
}

/** Takes this node out of those of the site. */
async function left(bus: Bus | undefined, agent: NodeAgent): Promise<boolean> {
  if (bus !== undefined) await agent.roster.leave(bus, agent.site.node);
  return bus !== undefined;
}

/** Tells the hub that nothing of the site is left; it lets nobody in under its name from then on. */
async function said(bus: Bus | undefined, { site, store }: NodeAgent): Promise<boolean> {
  const { retirement } = store;
  const generation = retirement?.kind === 'Retirement' ? retirement.generation : 1;
  const at = new Date().toISOString();
  await bus?.request(SITE.retired, { kind: 'Retirement', site: site.site, generation, at });
  return bus !== undefined;
}

async function clear(dir: string, everything: boolean): Promise<void> {
  if (everything) {
    await rm(dir, { recursive: true, force: true });
    const [, program = ''] = process.argv;
    if (basename(program) === JOINED_PROGRAM) await rm(program, { force: true });
    return;
  }
  for (const entry of await readdir(dir)) {
    if (!SERVER_FILES.has(entry)) await rm(join(dir, entry), { recursive: true, force: true });
  }
  await writeAtomic(retiredMark(dir), `${new Date().toISOString()}\n`);
}

/** Tries until it is true, or the deadline is over. */
async function until(deadline: number, condition: () => Promise<boolean>): Promise<void> {
  while (Date.now() < deadline) {
    try {
      if (await condition()) return;
    } catch (error) {
      if (process.env['SKERRY_LOG'] === 'debug') process.stderr.write(`${reason(error)}\n`);
    }
    await sleep(POLL_MS);
  }
}
