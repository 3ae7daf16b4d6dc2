import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { SkerryClient } from '@skerry/client';
import { clientOf } from '@skerry/local';
import { eventually, plainSite, startCloud, type CloudUnderTest } from './cloud-under-test.js';
import { HiddenMachine, mayMakeNamespaces } from './hidden-machine.js';
import { replicasOf, untilPhase } from './statuses.js';
import { httpService } from './workloads.js';

const TOOLS_PATH = `${dirname(process.execPath)}:/usr/bin:/bin:/usr/sbin:/sbin`;
const whenAllowed = mayMakeNamespaces() ? describe : describe.skip;

whenAllowed('a machine behind a masquerading router (needs root for network namespaces)', () => {
  let machine: HiddenMachine;
  let under: CloudUnderTest;
  let client: SkerryClient;
  let folder: string;
  beforeAll(async () => {
    machine = await HiddenMachine.make();
    under = await startCloud({ sites: [plainSite('home')], listen: machine.hostAddress });
    client = await clientOf(under.cloud);
    folder = await mkdtemp(join(tmpdir(), 'skerry-joined-'));
  }, 90_000);
  afterAll(async () => {
    machine.remove();
    await under.end();
    await rm(folder, { recursive: true, force: true });
  }, 60_000);

  it('joins the running cloud by the one line that `site add` prints, runs work, and leaves nothing when it is removed', async () => {
    const added = await client.addSite({
      site: plainSite('shop-7', { jurisdictions: ['de'] }),
      address: machine.hostAddress,
    });
    expect(added.command).not.toContain('\n');
    const out: string[] = [];
    const child = machine.spawn(['sh', '-c', added.command], {
      cwd: folder,
      env: { PATH: `${dirname(process.execPath)}:/usr/bin:/bin:/usr/sbin:/sbin`, HOME: folder },
    });
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => out.push(String(chunk)));
    await eventually(
      async () => ((await client.site('shop-7')).state?.phase === 'ready' ? true : undefined),
      { withinMs: 60_000, what: `shop-7 ready; it said: ${out.join('')}` },
    ).catch((cause: unknown) => {
      throw new Error(`the joining machine said: ${out.join('')}`, { cause });
    });
    await client.apply({ documents: [httpService('remote', { site: 'shop-7' })] });
    const [replica] = replicasOf(await untilPhase(client, 'remote', ['running'], 40_000));
    expect(machine.processes()).toContain(replica?.pid);

    expect(await secondUse(machine, added.command, folder)).toMatch(/token/);

    await client.remove('test', 'remote');
    await client.removeSite('shop-7');
    await eventually(() => (child.exitCode === null && child.signalCode === null ? undefined : true), {
      withinMs: 60_000,
      what: 'the agent ends by itself',
    });
    await eventually(() => (machine.processes().length === 0 ? true : undefined), {
      withinMs: 10_000,
      what: () => `nothing runs there; there is ${machine.processes().join(', ')}`,
    });
    expect(await readdir(folder)).toEqual([]);
    await expect(client.addSite({ site: plainSite('shop-7') })).rejects.toThrow(
      /was the name of a site that was removed/,
    );
  }, 180_000);
});

/** What a machine is told that comes with a token which another has used. */
async function secondUse(machine: HiddenMachine, command: string, folder: string): Promise<string> {
  const cwd = await mkdtemp(`${folder}-second-`);
  const child = machine.spawn(['sh', '-c', command], { cwd, env: { PATH: TOOLS_PATH, HOME: cwd } });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (said += String(chunk)));
  const code = await new Promise((done) => child.once('close', done));
  await rm(cwd, { recursive: true, force: true });
  expect(code).not.toBe(0);
  return said;
}
