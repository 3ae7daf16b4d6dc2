import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LIVE_HEARTBEAT, SITE } from '@skerry/contracts';
import type { LocalCloud } from '@skerry/local';
import { plainSite, startCloud } from '../e2e/cloud-under-test.js';
import { heartbeat } from '../hub/fake-site.js';
import { endable } from './failover-ends.js';
import type { PartContext } from './failover-parts.js';
import { LeafClient } from './leaf-client.js';
import { residentMiB } from './resident-memory.js';

const BEAT_MS = 1_000;
const PING_MS = 5_000;
const MEASURED_MS = 10_000;
const HOME_MS = 120_000;

/**
 * `scale.*`: many sites at one hub of one server. Each is a leaf connection of its own with its own account, certificate
 * and key, that says what an agent says: a heartbeat a second, a ping every five, a digest when it is back.
 */
export async function manySites({ report, sizes, say }: PartContext): Promise<void> {
  const count = sizes.simulatedSites;
  const names = Array.from({ length: count }, (_, i) => `m${i}`);
  const under = await startCloud({ sites: names.map((n) => plainSite(n)), elsewhere: () => true });
  const end = endable(under.end);
  const { cloud } = under;
  const heard = new Map<string, number>();
  let beats = 0;
  under.admin.listen(LIVE_HEARTBEAT, (m) => {
    beats += 1;
    heard.set(m.subject, performance.now());
  });
  const clients: LeafClient[] = [];
  const timers: NodeJS.Timeout[] = [];
  try {
    say(`the cloud knows ${count} sites`);
    const began = performance.now();
    for (const name of names) clients.push(await simulated(cloud, name));
    for (const client of clients) timers.push(...alive(client));
    await allHeard(heard, count, began);
    report.add(`scale.${count}_sites_first_home_s`, (performance.now() - began) / 1_000, 's');
    await pause(MEASURED_MS);
    beats = 0;
    const cpu = cpuSeconds(cloud.supervisor.pid('inventory'));
    await pause(MEASURED_MS);
    report.add('scale.heartbeats_per_s', beats / (MEASURED_MS / 1_000), '/s');
    const busy = cpuSeconds(cloud.supervisor.pid('inventory')) - cpu;
    report.add('scale.inventory_processor_pct', (busy / (MEASURED_MS / 1_000)) * 100, '%');
    report.add(`scale.${count}_sites_hub_rss_mib`, residentMiB(cloud.supervisor.pid('hub')), 'MiB');
    await cloud.supervisor.stop('hub', 'SIGKILL');
    say('the hub was killed and is started again');
    const startedAt = performance.now();
    cloud.startHub();
    await allHeard(heard, count, startedAt);
    report.add(`scale.${count}_sites_call_home_s`, (performance.now() - startedAt) / 1_000, 's');
    await pause(MEASURED_MS);
    report.add(`scale.${count}_sites_hub_rss_after_mib`, residentMiB(cloud.supervisor.pid('hub')), 'MiB');
  } finally {
    for (const timer of timers) clearInterval(timer);
    for (const client of clients) client.end();
    await end();
  }
}

async function simulated(cloud: LocalCloud, site: string): Promise<LeafClient> {
  const file = async (...path: string[]) => await readFile(join(cloud.paths.site(site), ...path), 'utf8');
  const identity = {
    host: '127.0.0.1',
    port: cloud.file.ports.leaf,
    creds: await file('leaf.creds'),
    cert: await file('tls', 'leaf.crt'),
    key: await file('tls', 'leaf.key'),
    ca: await file('tls', 'ca.crt'),
  };
  return new LeafClient(site, identity, (client) => {
    client.ask(SITE.digest, { site, page: 0, last: true, items: [], lastSequence: 0 });
    client.say(SITE.heartbeat, heartbeat(site));
  });
}

/** Says what an agent says, each site at a moment of its own. */
function alive(client: LeafClient): NodeJS.Timeout[] {
  const beat = setInterval(() => client.say(SITE.heartbeat, heartbeat(client.site)), BEAT_MS);
  const ping = setInterval(() => client.ask(SITE.ping, {}), PING_MS);
  return [beat, ping];
}

/** Resolves when a heartbeat of every site has come through since a moment. */
async function allHeard(heard: ReadonlyMap<string, number>, count: number, since: number): Promise<void> {
  const deadline = performance.now() + HOME_MS;
  for (;;) {
    const home = [...heard.values()].filter((at) => at >= since).length;
    if (home >= count) return;
    if (performance.now() > deadline) throw new Error(`only ${home} of ${count} sites came home`);
    await pause(50);
  }
}

/** Processor time that a process has used. */
function cpuSeconds(pid: number | undefined): number {
  if (pid === undefined) return Number.NaN;
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const TICKS_PER_S = 100;
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
}

const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));
