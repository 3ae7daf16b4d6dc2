import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Replica } from '@skerry/contracts';
import { HubSilence } from './hub-silence.js';
import { NodeAgent } from './node-agent.js';
import { alive, assignment, eventually, QUIET, SiteUnderTest, tombstone } from './site-under-test.suite.js';

describe('an agent without a server', () => {
  let site: SiteUnderTest;
  let agent: NodeAgent;
  const replicas = (name: string): Replica[] => agent.supervisor.report(`shop.${name}`)?.replicas ?? [];
  const phases = (name: string) => replicas(name).map((r) => r.phase);
  const running = async (name: string) =>
    await eventually(
      `${name} runs`,
      () => phases(name).length > 0 && phases(name).every((p) => p === 'running'),
    );

  beforeEach(async () => {
    site = await SiteUnderTest.make({ allocatable: { cpuMillicores: 1_000, memoryMiB: 1_000, diskMiB: 0 } });
    agent = await NodeAgent.start(site.dir, { log: QUIET });
  });
  afterEach(async () => {
    await agent.stopReplicas({ forget: true });
    await agent.close();
    await site.close();
  });

  it('rests what shall not run at a site that is cut off, and nothing else, until the hub is heard', async () => {
    await agent.take(assignment('orphan', { orphan: 'stop' }));
    await agent.take(assignment('keeper', { orphan: 'keep' }));
    await running('orphan');
    await running('keeper');
    const [before] = replicas('orphan');
    agent.supervisor.setCutOff(true);
    await eventually('it rests', () => phases('orphan')[0] === 'backoff');
    expect(alive(before?.pid ?? 0)).toBe(false);
    expect(phases('keeper')).toEqual(['running']);
    agent.supervisor.setCutOff(false);
    await running('orphan');
    expect(replicas('keeper')[0]?.restarts).toBe(0);
  });

  it('goes on with what ran while a newer version does not fit, over its own restart too', async () => {
    const cpu = (cpuMillicores: number) => ({ resources: { cpuMillicores, memoryMiB: 0 } });
    await agent.take(assignment('web', cpu(600)));
    await running('web');
    const [before] = replicas('web');
    await agent.take(assignment('web', { ...cpu(2_000), version: { generation: 2 } }));
    const refused = await eventually('refused', () => {
      const report = agent.supervisor.report('shop.web');
      return report?.state === 'refused' ? report : undefined;
    });
    expect(refused).toMatchObject({
      version: { generation: 2 },
      refusal: { check: 'capacity', needs: '2000m' },
    });
    await agent.store.settled();
    await agent.close();
    agent = await NodeAgent.start(site.dir, { log: QUIET });
    await running('web').catch(() => undefined);
    expect(replicas('web').map((r) => r.pid)).toEqual([before?.pid]);
    process.kill(before?.pid ?? 0, 'SIGKILL');
    await eventually(
      'it is started again',
      () => phases('web')[0] === 'running' && replicas('web')[0]?.restarts === 1,
    );
  });

  it('takes nothing that is meant for another site', async () => {
    await agent.take({ ...assignment('web'), site: 's2' });
    expect(agent.store.size).toBe(0);
  });

  it('stops at once what is removed while it is still starting', async () => {
    await agent.take(
      assignment('web', { replicas: 5, run: { driver: 'mock', env: { MOCK_START_MS: '300' } } }),
    );
    await eventually('starting', () => phases('web').includes('starting'));
    await agent.take(tombstone('web'));
    const gone = await eventually('gone', () => {
      const report = agent.supervisor.report('shop.web');
      return report?.state === 'absent' ? report : undefined;
    });
    expect(gone.replicas).toEqual([]);
  });
});

describe('silence of the hub', () => {
  it('counts from the start on, and ends with the first word', async () => {
    const seen: boolean[] = [];
    const silence = new HubSilence((cutOff) => seen.push(cutOff), 100);
    silence.start();
    try {
      await eventually('cut off', () => seen.includes(true));
      silence.heard();
      expect(seen.at(-1)).toBe(false);
    } finally {
      silence.stop();
    }
  });
});
