import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SkerryClient } from '@skerry/client';
import type { ConflictRule, DatasetWhere } from '@skerry/contracts';
import { clientOf } from '@skerry/local';
import { eventually, plainSite, startCloud, type CloudUnderTest } from '../e2e/cloud-under-test.js';
import { SiteLab } from '../e2e/site-lab.js';
import { DataDoor } from './dataset-door.js';
import { endable } from './failover-ends.js';

const PROJECT = 'bench';
const READY_MS = 60_000;
const COPIED_MS = 60_000;

/** A cloud whose sites are machines of their own, with a replica at each by whose token its datasets are reached. */
export class DataCloud {
  private readonly doors = new Map<string, DataDoor>();

  private constructor(
    readonly lab: SiteLab,
    readonly under: CloudUnderTest,
    readonly client: SkerryClient,
    readonly sites: readonly string[],
  ) {}

  static async start(sites: readonly string[]): Promise<DataCloud> {
    const lab = await SiteLab.make();
    try {
      const descriptions = sites.map((name) => plainSite(name));
      const { siteProcess, hubAddress: listen } = lab;
      const under = await startCloud({ sites: descriptions, siteProcess, listen });
      const cloud = new DataCloud(lab, under, await clientOf(under.cloud), sites);
      await cloud.begin();
      return cloud;
    } catch (cause) {
      lab.remove();
      throw cause;
    }
  }

  /** Ends everything; once, also when it is called again. */
  readonly end = endable(async () => {
    for (const door of this.doors.values()) door.close();
    await this.under.end();
    this.lab.remove();
  });

  /** Makes datasets by name and rule, and waits until every site has a copy. */
  async make(datasets: Readonly<Record<string, ConflictRule>>): Promise<void> {
    const [home = ''] = this.sites;
    const documents = Object.entries(datasets).map(([name, conflicts]) =>
      dataset(name, conflicts === 'single-writer' ? { conflicts, home } : { conflicts }),
    );
    await this.client.apply({ documents });
    for (const name of Object.keys(datasets))
      await eventually(
        async () => ((await this.where(name)).copies.every((c) => c.state !== undefined) ? true : undefined),
        { withinMs: COPIED_MS, what: `copies of ${name}` },
      );
  }

  async where(name: string): Promise<DatasetWhere> {
    return await this.client.datasetWhere(PROJECT, name);
  }

  /** Keys of a site's copy; undefined while the site does not answer. */
  async keysAt(name: string, site: string): Promise<number | undefined> {
    const state = await this.client.askDataset({ verb: 'state', project: PROJECT, name }, { site });
    return 'state' in state ? state.state.keys : undefined;
  }

  /** Whether every copy of these holds the same and has nothing to send. */
  async isSame(names: readonly string[]): Promise<boolean> {
    const all = await Promise.all(names.map(async (name) => await this.where(name)));
    return all.every(
      ({ copies }) =>
        copies.length === this.sites.length &&
        copies.every(({ state }) => state?.unsent === 0) &&
        new Set(copies.map(({ state }) => state?.digest)).size === 1,
    );
  }

  door(site: string): DataDoor {
    const door = this.doors.get(site);
    if (door === undefined) throw new Error(`no door at ${site}`);
    return door;
  }

  private async begin(): Promise<void> {
    const ready = async () =>
      (await this.client.sites()).every((s) => s.state?.phase === 'ready') ? true : undefined;
    await eventually(ready, { withinMs: READY_MS, what: 'all sites are ready' });
    await this.client.apply({ documents: [DAEMON] });
    for (const site of this.sites)
      await eventually(async () => ((await this.findDoor(site)) ? true : undefined), {
        withinMs: READY_MS,
        what: `a replica at ${site}`,
      });
  }

  /** Looks anew where replicas reach their agents: who was restarted listens elsewhere. */
  async findDoors(): Promise<void> {
    for (const site of this.sites) await this.findDoor(site);
  }

  private async findDoor(site: string): Promise<boolean> {
    const state = join(this.under.cloud.paths.site(site), 'state');
    const files = (await readdir(join(state, 'replicas'))).filter((f) => f.endsWith('.json'));
    const [file] = files;
    if (file === undefined) return false;
    const { port } = JSON.parse(await readFile(join(state, 'replica-endpoint.json'), 'utf8'));
    const { asks } = JSON.parse(await readFile(join(state, 'replicas', file), 'utf8'));
    const [host = '', at] = this.lab.deskAddress(site, port).split(':');
    const door = new DataDoor(host, Number(at), asks);
    this.doors.get(site)?.close();
    this.doors.set(site, door);
    return true;
  }
}

/** A dataset at every site. */
export function dataset(name: string, spec: object): unknown {
  const metadata = { name, project: PROJECT };
  return { apiVersion: 'skerry/v1', kind: 'Dataset', metadata, spec: { type: 'keyvalue', ...spec } };
}

const DAEMON = {
  apiVersion: 'skerry/v1',
  kind: 'Workload',
  metadata: { name: 'reader', project: PROJECT },
  spec: {
    type: 'daemon',
    run: { command: ['sleep', '1000000'], stop: { graceMs: 1_000 } },
    resources: { cpuMillicores: 1, memoryMiB: 1 },
  },
};
