import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { SkerryClient } from '@skerry/client';
import { siteReportSchema, siteStatusPageSchema } from '@skerry/contracts';
import { clientOf } from '@skerry/local';
import { eventually, plainSite, startCloud, type CloudUnderTest } from './cloud-under-test.js';
import { mayMakeNamespaces } from './hidden-machine.js';
import { SiteLab } from './site-lab.js';
import { runSkerryAt } from './skerry-command.js';
import { replicasOf, untilPhase } from './statuses.js';
import { httpService } from './workloads.js';

/** From the first process of a site that comes up until what it is to run does; with a busy machine beside it, and as the command line sees it. */
const UP_WITHIN_MS = 20_000;
const maybe = mayMakeNamespaces() ? describe : describe.skip;

maybe('a site that is cut off', () => {
  let lab: SiteLab;
  let under: CloudUnderTest;
  let client: SkerryClient;
  beforeAll(async () => {
    lab = await SiteLab.make();
    const { siteProcess, hubAddress: listen } = lab;
    under = await startCloud({
      sites: ['here', 'there'].map((name) => plainSite(name)),
      siteProcess,
      listen,
    });
    client = await clientOf(under.cloud);
    await client.apply({
      documents: [httpService('web', { site: 'here', replicas: 2 }), everywhere('both')],
    });
    await untilPhase(client, 'web', ['running']);
    await untilPhase(client, 'both', ['running']);
  }, 60_000);
  afterAll(async () => {
    await under?.end();
    lab?.remove();
  }, 60_000);

  it('obeys its operators, survives a reboot, and has the hub decide when it is back', async () => {
    await eventually(async () => ((await here(['status'])).code === 0 ? true : undefined), {
      withinMs: 10_000,
      what: 'the site knows who may act there',
    });
    lab.cut('here');
    const cut = await eventually(async () => ((await status()).cutOff ? true : undefined), {
      withinMs: 20_000,
      what: 'the site notices',
      everyMs: 500,
    });
    expect(cut).toBe(true);

    expect(await here(['stop', 'web'])).toMatchObject({ code: 0 });
    await runningHere('web', 0);
    expect(await here(['start', 'web'])).toMatchObject({ code: 0 });
    await runningHere('web', 2);
    expect(await here(['stop', 'both'])).toMatchObject({ code: 0 });
    await runningHere('both', 0);
    const file = join(under.cloud.paths.home, 'local.json');
    await writeFile(file, JSON.stringify(httpService('local', { site: 'here' })));
    expect(await here(['apply', '-f', file])).toMatchObject({ code: 0 });
    await runningHere('local', 1);
    expect((await here(['logs', 'local'])).stdout).toContain('started test.local.here.0');
    const walled = join(under.cloud.paths.home, 'walled.json');
    await writeFile(walled, JSON.stringify(httpService('walled', { residency: ['us'] })));
    const refused = await here(['apply', '-f', walled]);
    expect(refused).toMatchObject({ code: 1 });
    expect(refused.stderr).toContain('here is in eu');

    // A machine without power: everything at once, then up again in whatever order.
    for (const pid of lab.processes('here')) process.kill(pid, 'SIGKILL');
    const began = await eventually(() => (lab.processes('here').length > 0 ? performance.now() : undefined), {
      withinMs: 10_000,
      what: 'the machine is up again',
      everyMs: 20,
    });
    await runningHere('web', 2);
    await runningHere('local', 1);
    expect(performance.now() - began).toBeLessThan(UP_WITHIN_MS);

    lab.heal('here');
    const report = await eventually(
      async () => {
        const told = await client.siteReport('here');
        return told.changes.length === 4 && told.changes.every((c) => c.state !== 'open') ? told : undefined;
      },
      { withinMs: 30_000, what: 'the hub has decided and knows what happened', everyMs: 200 },
    );
    expect(report.changes.map((c) => [c.what, c.by, c.state])).toEqual([
      ['apply test/local', 'local-admin', 'accepted'],
      ['stop test/both', 'local-admin', 'accepted'],
      ['start test/web', 'local-admin', 'accepted'],
      ['stop test/web', 'local-admin', 'accepted'],
    ]);
    // What runs at the other site too stays stopped here, and goes on there.
    expect(report.changes[1]?.reason).toContain('at this site alone');
    const { workload, status: both } = await client.workload('test', 'both');
    expect(workload.stopped).toBe(false);
    expect(both?.sites.find((s) => s.site === 'there')?.replicas).toMatchObject([{ phase: 'running' }]);
    await runningHere('both', 0);
    expect(await here(['start', 'both'])).toMatchObject({ code: 0 });
    await runningHere('both', 1);
    expect(report.absences[0]).toMatchObject({ agentStarts: 1 });
    // What was begun at the site is a workload like any other, and its replica was not touched.
    const [replica] = replicasOf(await untilPhase(client, 'local', ['running']));
    expect(lab.processes('here')).toContain(replica?.pid);
    const told = siteReportSchema.parse(JSON.parse((await here(['--json', 'report'])).stdout));
    expect(told).toMatchObject({ from: 'site' });
    expect(told.changes).toEqual(expect.arrayContaining(report.changes));
  }, 120_000);

  function everywhere(name: string): unknown {
    return {
      apiVersion: 'skerry/v1',
      kind: 'Workload',
      metadata: { name, project: 'test' },
      spec: { type: 'daemon', run: { driver: 'mock' }, resources: { cpuMillicores: 1, memoryMiB: 1 } },
    };
  }

  async function here(args: readonly string[]) {
    return await runSkerryAt(under, ['--site', 'here', ...args], (argv) => lab.command('here', argv));
  }

  async function status() {
    const { stdout, stderr } = await here(['--json', 'status']);
    if (stdout === '') throw new Error(stderr);
    return siteStatusPageSchema.parse(JSON.parse(stdout));
  }

  async function runningHere(name: string, count: number): Promise<void> {
    await eventually(
      async () => {
        const workload = (await status()).workloads.find((w) => w.name === name);
        const running = workload?.replicas.filter((r) => r.phase === 'running') ?? [];
        return running.length === count ? true : undefined;
      },
      { withinMs: 15_000, what: `${count} of ${name} run here`, everyMs: 100 },
    );
  }
});
