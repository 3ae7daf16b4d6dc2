import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { SkerryClient } from '@skerry/client';
import type { Replica, SiteStatus, Status } from '@skerry/contracts';
import { clientOf } from '@skerry/local';
import { eventually, plainSite, startCloud, type CloudUnderTest } from './cloud-under-test.js';
import { mayMakeNamespaces } from './hidden-machine.js';
import { SiteLab } from './site-lab.js';
import { replicasOf, untilPhase } from './statuses.js';
import { httpService } from './workloads.js';

const SITES = ['one', 'two', 'three'];
/** From the cut until everything runs elsewhere, with the default timings. */
const RESTORED_WITHIN_MS = 8_000;

const maybe = mayMakeNamespaces() ? describe : describe.skip;

maybe('a site whose packets are dropped', () => {
  let lab: SiteLab;
  let under: CloudUnderTest;
  let client: SkerryClient;
  beforeAll(async () => {
    lab = await SiteLab.make();
    const { siteProcess, hubAddress: listen } = lab;
    under = await startCloud({ sites: SITES.map((name) => plainSite(name)), siteProcess, listen });
    client = await clientOf(under.cloud);
    await allReady();
  }, 60_000);
  afterAll(async () => {
    await under?.end();
    lab?.remove();
  }, 60_000);

  it('is replaced within 8 s, goes on by itself, and keeps its replicas as they are when it is back', async () => {
    await client.apply({ documents: [httpService('away', { replicas: 2 })] });
    const before = await untilPhase(client, 'away', ['running']);
    // A machine that stands still for a moment costs one attempt; what takes longer by itself takes longer at both.
    const tookMs: number[] = [];
    for (const victim of attemptsOn(before)) {
      tookMs.push(await replaced(victim, replicasOf(before)));
      if (Math.min(...tookMs) < RESTORED_WITHIN_MS) break;
    }
    expect(Math.min(...tookMs)).toBeLessThan(RESTORED_WITHIN_MS);
  }, 120_000);

  /** Cuts a site off and takes it back when as much runs elsewhere; answers how long that took, ms. */
  async function replaced(victim: SiteStatus, before: Replica[]): Promise<number> {
    const cutAt = performance.now();
    lab.cut(victim.site);
    await eventually(async () => ((await runningOutside(victim.site)) >= before.length ? true : undefined), {
      withinMs: RESTORED_WITHIN_MS * 2,
      what: 'as many replicas elsewhere',
    });
    const tookMs = performance.now() - cutAt;
    // Cut off, the site keeps what it has.
    for (const { pid } of victim.replicas) expect(lab.processes(victim.site)).toContain(pid);
    lab.heal(victim.site);
    const back = await eventually(
      async () => {
        const { status } = await client.workload('test', 'away');
        const pids = status === undefined ? [] : replicasOf(status).map((r) => r.pid);
        return status?.phase === 'running' && sameMembers(pids, before) ? status : undefined;
      },
      { withinMs: 30_000, what: 'the original replicas and no others' },
    );
    expect(replicasOf(back).map((r) => r.restarts)).toEqual(before.map(() => 0));
    return tookMs;
  }

  async function allReady(): Promise<void> {
    await eventually(
      async () => {
        const ready = (await client.sites()).filter((s) => s.state?.phase === 'ready');
        return ready.length === SITES.length ? true : undefined;
      },
      { withinMs: 20_000, what: 'all sites are ready' },
    );
  }

  async function runningOutside(site: string): Promise<number> {
    const { status } = await client.workload('test', 'away');
    const elsewhere = status?.sites.filter((s) => s.site !== site) ?? [];
    return elsewhere.flatMap((s) => s.replicas).filter((r) => r.phase === 'running').length;
  }
});

/** The sites where it runs, at most two; one where it runs alone is tried twice. */
function attemptsOn({ sites }: Status): SiteStatus[] {
  const [first, second = first] = sites.filter(({ replicas }) => replicas.length > 0);
  if (first === undefined || second === undefined) throw new Error('it runs nowhere');
  return [first, second];
}

function sameMembers(
  pids: readonly (number | undefined)[],
  before: readonly { pid?: number | undefined }[],
): boolean {
  return pids.length === before.length && before.every(({ pid }) => pids.includes(pid));
}
