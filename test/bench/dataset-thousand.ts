import { setTimeout as sleep } from 'node:timers/promises';
import { DataCloud, dataset } from './dataset-cloud.js';
import type { PartContext } from './dataset-parts.js';
import { residentMiB } from './resident-memory.js';

const SITES = ['one', 'two'];
const FOLDER = 250;
const WITHIN_MS = 180_000;
const LOOK_MS = 200;

/** `data.thousand_datasets_*`: so many datasets with a copy at each of two sites, and an agent that starts with them. */
export async function manyDatasets({ report, sizes, say }: PartContext): Promise<void> {
  const cloud = await DataCloud.start(SITES);
  try {
    const agent = () => cloud.under.cloud.supervisor.pid(`agent-${SITES[0]}`);
    report.add('data.agent_without_datasets_rss_mib', residentMiB(agent()), 'MiB');
    const names = Array.from({ length: sizes.datasets }, (_, i) => `set${i}`);
    const beganAt = performance.now();
    for (let n = 0; n < names.length; n += FOLDER) {
      const documents = names.slice(n, n + FOLDER).map((name) => dataset(name, { conflicts: 'newest' }));
      await cloud.client.apply({ documents });
    }
    say(`${names.length} datasets admitted after ${Math.round(performance.now() - beganAt)} ms`);
    await allThere(cloud, names);
    report.add('data.thousand_datasets_made_s', (performance.now() - beganAt) / 1_000, 's');
    for (const name of names) await cloud.door(SITES[0] ?? '').put(name, 'k', name);
    await seen(cloud, names, (value) => value);
    report.add('data.thousand_datasets_rss_mib', residentMiB(agent()), 'MiB');
    const pid = agent();
    const killedAt = performance.now();
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
    await written(cloud, names);
    await seen(cloud, names.slice(-1), () => 'after');
    report.add('data.thousand_datasets_restart_s', (performance.now() - killedAt) / 1_000, 's');
  } finally {
    await cloud.end();
  }
}

/** Until the agent that was killed is back and takes a write to the last of them. */
async function written(cloud: DataCloud, names: readonly string[]): Promise<void> {
  const last = names.at(-1) ?? '';
  await until(async () => {
    await cloud.findDoors();
    await cloud.door(SITES[0] ?? '').put(last, 'k', 'after');
    return true;
  }, 'a write after the restart');
}

async function allThere(cloud: DataCloud, names: readonly string[]): Promise<void> {
  let next = 0;
  await until(async () => {
    for (; next < names.length; next += 1) {
      const { copies } = await cloud.where(names[next] ?? '');
      if (copies.some(({ state }) => state === undefined)) return false;
    }
    return true;
  }, 'copies of all datasets');
}

/** Until the other site has the value of each. */
async function seen(
  cloud: DataCloud,
  names: readonly string[],
  valueOf: (name: string) => string,
): Promise<void> {
  let next = 0;
  await until(async () => {
    for (; next < names.length; next += 1) {
      const name = names[next] ?? '';
      const entry = await cloud.door(SITES[1] ?? '').get(name, 'k');
      if (entry?.['value'] !== valueOf(name)) return false;
    }
    return true;
  }, 'what was written is at the other site');
}

async function until(holds: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + WITHIN_MS;
  while (!(await holds().catch(() => false))) {
    if (performance.now() > deadline) throw new Error(`not within ${WITHIN_MS} ms: ${what}`);
    await sleep(LOOK_MS);
  }
}
