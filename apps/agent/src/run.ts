import { existsSync } from 'node:fs';
import { makeLog, reason, type Log } from './log.js';
import { giveBackMemory } from './memory.js';
import { NodeAgent } from './node-agent.js';
import { lastReports } from './reports/last-reports.js';
import { retire } from './retire.js';
import { folders, readSiteFile, type Folders } from './site-file.js';
import { LeafServer } from './leaf/leaf-server.js';
import { watchStorage } from './leaf/storage-watch.js';
import { Uplink } from './uplink.js';
import { retiredMark } from './retire.js';
import { readAgain } from './join/node-folder.js';
import { makeOperator } from './join/operator-user.js';
import { startRenewal } from './join/renewal.js';

/** Time for the hub to hear what was stopped. Short: with no hub to hear it, Ctrl-C waits this long. */
const LAST_REPORTS_MS = 2_000;

/** Why an agent ends. */
type Ending = 'leave' | 'stop-replicas' | 'retired';

/** Runs an agent until it is told to end; resolves with the exit code. Ends with replicas running unless told otherwise. */
export async function runAgent(options: { dir: string; withServer: boolean }): Promise<number> {
  const { dir, withServer } = options;
  if (existsSync(retiredMark(dir))) {
    process.stderr.write(`skerry-agent: this site was removed: nothing is left to run in ${dir}\n`);
    return 0;
  }
  const ending = endings();
  const log = makeLog();
  const agent = await NodeAgent.start(dir, { log });
  if (withServer) await ensureOperator(folders(dir), log);
  const server = withServer
    ? await LeafServer.start({ dir, site: await readSiteFile(dir), places: folders(dir), log })
    : undefined;
  const renewal = startRenewal(agent, server);
  const memory = giveBackMemory();
  const uplink = new Uplink(agent);
  const storage =
    server &&
    watchStorage({
      dir,
      failingForMs: () => (uplink.connection?.connected === true ? agent.reporter.failingForMs : 0),
      restart: async () => await server.restart(),
      log,
    });
  agent.onRetirement(() => ending.end('retired'));
  // Nothing else keeps a process running whose server cannot be reached.
  const alive = setInterval(() => undefined, 2 ** 30);
  const why = await ending.wanted;
  clearInterval(alive);
  log.info('agent ends', { why });
  renewal.stop();
  memory.stop();
  storage?.stop();
  if (why === 'retired') {
    await retire(agent, uplink, server);
    return 0;
  }
  if (why === 'stop-replicas') {
    await agent.stopReplicas({ forget: false });
    if (agent.supervisor.keys().length > 0) await lastReports(agent, uplink, LAST_REPORTS_MS);
  }
  await uplink.close();
  await agent.close();
  if (why === 'stop-replicas') await server?.stop();
  else server?.leave();
  return 0;
}

/** Nothing that runs here needs it: without, only people at the site cannot ask it. */
async function ensureOperator(places: Folders, log: Log): Promise<void> {
  try {
    if (!(await makeOperator(places))) return;
    log.info('made the user that people act as at this site', { file: places.operatorSeed });
    await readAgain(places.leafServer);
  } catch (error) {
    log.warn('people cannot act at this site', { reason: reason(error) });
  }
}

function endings(): { wanted: Promise<Ending>; end: (why: Ending) => void } {
  let end: (why: Ending) => void = () => undefined;
  const wanted = new Promise<Ending>((resolve) => (end = resolve));
  process.on('SIGTERM', () => end('leave'));
  process.on('SIGINT', () => end('leave'));
  process.on('SIGUSR2', () => end('stop-replicas'));
  process.on('unhandledRejection', (error) => {
    process.stderr.write(
      `skerry-agent: a bug: ${reason(error)}\n${error instanceof Error ? (error.stack ?? '') : ''}\n`,
    );
    process.exit(1);
  });
  return { wanted, end: (why) => end(why) };
}
