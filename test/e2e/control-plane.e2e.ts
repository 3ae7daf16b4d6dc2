import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SkerryClient } from '@skerry/client';
import { clientOf, SERVICES } from '@skerry/local';
import { eventually, plainSite, startCloud, type CloudUnderTest } from './cloud-under-test.js';
import { untilPhase } from './statuses.js';
import { mockService } from './workloads.js';

/** What is killed stays away until the end: whatever goes on goes on without it. */
describe('a control plane of three hub servers and two processes of each service', () => {
  let under: CloudUnderTest;
  let client: SkerryClient;
  beforeAll(async () => {
    under = await startCloud({ sites: [plainSite('one')], hub: 3, instances: 2 });
    client = await clientOf(under.cloud);
  }, 90_000);
  afterAll(() => under?.end(), 60_000);

  it('loses nothing and goes on when one server of the hub and the active one of each service are killed', async () => {
    await apply('before');
    await untilPhase(client, 'before', ['running']);
    const generation = (await client.workload('test', 'before')).workload.generation;
    const { supervisor } = under.cloud;
    // The api that the client asks stays.
    const apps = SERVICES.filter((app) => app !== 'api');
    const active = await Promise.all(apps.map((app) => activeOf(app)));
    await Promise.all([...active, 'hub-3', 'api-2'].map((name) => supervisor.stop(name, 'SIGKILL')));
    const names = Array.from({ length: 10 }, (_, i) => `after${i}`);
    await Promise.all(names.map((name) => apply(name)));
    for (const name of names) await untilPhase(client, name, ['running'], 40_000);
    const { workload, status } = await client.workload('test', 'before');
    expect(workload.generation).toBe(generation);
    expect(status?.running).toBe(1);
  }, 90_000);

  async function apply(name: string): Promise<void> {
    await eventually(
      () => client.apply({ documents: [mockService(name)] }, { requestId: `control-plane-${name}` }),
      { withinMs: 40_000, what: `apply ${name}`, everyMs: 200 },
    );
  }

  async function activeOf(app: string): Promise<string> {
    return (await under.cloud.holds(`${app}-2`)).length > 0 ? `${app}-2` : app;
  }
});
