import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { connectBus } from '@skerry/bus';
import type { SkerryClient } from '@skerry/client';
import { eventSchema } from '@skerry/contracts';
import { clientOf } from '@skerry/local';
import { eventually, plainSite, startCloud, type CloudUnderTest } from './cloud-under-test.js';
import { replicasOf, untilPhase, untilPlannedElsewhere, whoAnswers } from './statuses.js';
import { httpService } from './workloads.js';

describe('a workload applied at the centre', () => {
  let under: CloudUnderTest;
  let client: SkerryClient;
  beforeAll(async () => {
    under = await startCloud({
      sites: [
        plainSite('north'),
        plainSite('south', { jurisdictions: ['us'], location: { lat: 39, lon: -77 } }),
      ],
    });
    client = await clientOf(under.cloud);
  }, 90_000);
  afterAll(() => under.end(), 60_000);

  it('runs at the sites its rules allow, and answers there', async () => {
    await client.apply({
      documents: [httpService('everywhere', { replicas: 2 }), httpService('european', { residency: ['eu'] })],
    });
    const [everywhere, european] = [
      await untilPhase(client, 'everywhere', ['running']),
      await untilPhase(client, 'european', ['running']),
    ];
    expect(european.sites.map((s) => s.site)).toEqual(['north']);
    for (const replica of [...replicasOf(everywhere), ...replicasOf(european)]) {
      const answer = await whoAnswers(replica.addresses['http']);
      expect(answer.replica).toBe(replica.id);
      expect(answer.pid).toBe(replica.pid);
    }
  });

  it('shows its life on skerry.evt.> to an operator, each step once', async () => {
    const operator = await connectBus({
      servers: [`nats://127.0.0.1:${under.cloud.file.ports.hub}`],
      credsFile: under.cloud.paths.creds('operator'),
      inboxPrefix: '_INBOX_operator',
      name: 'a person',
    });
    const seen: string[] = [];
    const hearing = operator.listen('skerry.evt.>', (m) => {
      const event = eventSchema.parse(m.json());
      if (event.subject === 'test/lively') seen.push(event.type.slice('dev.skerry.'.length, -'.v1'.length));
    });
    await client.apply({ documents: [httpService('lively')] });
    // Phases are announced once they have lasted a moment.
    await eventually(() => (seen.includes('workload.running') ? true : undefined), {
      withinMs: 15_000,
      what: () => `running among ${seen.join(', ')}`,
    });
    await client.remove('test', 'lively');
    await eventually(() => (seen.includes('workload.gone') ? true : undefined), {
      withinMs: 15_000,
      what: `gone among ${seen.join(', ')}`,
    });
    expect(seen).toEqual(
      expect.arrayContaining([
        'workload.admitted',
        'workload.placed',
        'workload.running',
        'workload.removed',
        'workload.gone',
      ]),
    );
    // Each owner tells its own events: between owners their order on the wire is open.
    expect(seen.filter((t) => t === 'workload.admitted').length).toBe(1);
    await hearing.drain();
    await operator.close();
  });

  it('leaves nothing running when it is removed', async () => {
    await client.apply({ documents: [httpService('brief')] });
    const [replica] = replicasOf(await untilPhase(client, 'brief', ['running']));
    const pid = replica?.pid ?? 0;
    expect(() => process.kill(pid, 0)).not.toThrow();
    await client.remove('test', 'brief');
    await eventually(() => (isAlive(pid) ? undefined : true), {
      withinMs: 15_000,
      what: `process ${pid} gone`,
    });
  });

  it('says why it cannot be placed, and places it by itself when that changes', async () => {
    await client.cordon('north', true);
    const waiting = httpService('waiting', { residency: ['eu'] });
    await untilPlannedElsewhere(client, waiting, 'north');
    await client.apply({ documents: [waiting] });
    const stuck = await untilPhase(client, 'waiting', ['unplaceable']);
    expect(stuck.reasons.join(' ')).toMatch(/cordon/);
    await client.cordon('north', false);
    await untilPhase(client, 'waiting', ['running']);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false; // No such process.
  }
}
