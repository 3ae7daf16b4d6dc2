import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { leaseOf, SINGLETON_LEASE } from '@skerry/domain';
import { folders } from '../site-file.js';
import { HubStandIn } from '../hub-stand-in.suite.js';
import { alive, assignment, end, eventually, SiteUnderTest } from '../site-under-test.suite.js';

describe('a singleton', () => {
  let site: SiteUnderTest;
  let hub: HubStandIn;
  const SAY = 'echo "$SKERRY_EPOCH $SKERRY_AGENT_URL $SKERRY_AGENT_TOKEN" >told; exec sleep 1000';
  const owner = (more: object = {}) =>
    assignment('owner', {
      type: 'singleton',
      orphan: 'stop',
      epoch: 3,
      run: { command: ['/bin/sh', '-c', SAY] },
      ...more,
    });
  const told = async () =>
    await eventually('it was told', async () => {
      const text = await readFile(join(site.dir, 'work', 'shop.owner.s1.0', 'cwd', 'told'), 'utf8').catch(
        () => '',
      );
      const [epoch, url, token] = text.trim().split(' ');
      return token === undefined ? undefined : { epoch, url, token };
    });
  const ask = async (url: string | undefined, token: string) => {
    const answer = await fetch(`${url}/v1/replica/epoch`, { headers: { authorization: `Bearer ${token}` } });
    const body: { epoch?: number; leaseMs?: number } = JSON.parse(await answer.text());
    return { status: answer.status, body };
  };

  beforeEach(async () => {
    site = await SiteUnderTest.make();
    await site.startServer();
    hub = await HubStandIn.at(site);
  });
  afterEach(async () => {
    await hub.bus.close();
    await site.close();
  });

  it('is told its epoch, asks until when it may act, and is ended by its keeper when its agent is dead', async () => {
    const agent = await site.startAgent();
    hub.want(owner());
    const pid = (await hub.running('owner')).replicas[0]?.pid ?? 0;
    const { epoch, url, token } = await told();
    expect(epoch).toBe('3000000');
    const asked = await ask(url, token);
    expect(asked).toMatchObject({ status: 200, body: { epoch: 3_000_000 } });
    expect(asked.body.leaseMs).toBeGreaterThan(0);
    expect(asked.body.leaseMs).toBeLessThanOrEqual(SINGLETON_LEASE.leaseMs);
    expect((await ask(url, 'another')).status).toBe(401);
    await end(agent, 'SIGKILL');
    const deadline = folders(site.dir).leaseDeadline;
    const [killAt, upMs] = [Number(await readFile(deadline, 'utf8')), await uptimeMs()];
    // The last lease began before the agent died.
    expect(killAt - upMs).toBeLessThanOrEqual(leaseOf(0).killAtMs);
    expect(killAt - upMs).toBeGreaterThan(0);
    // As if that time had passed.
    await writeFile(deadline, `${Math.floor(upMs)}\n`);
    await eventually('its keeper ended it', () => !alive(pid));
  });

  it('goes on under an agent that starts anew in time, and finds it where it was told to ask', async () => {
    const first = await site.startAgent();
    hub.want(owner());
    const pid = (await hub.running('owner')).replicas[0]?.pid ?? 0;
    const { url, token } = await told();
    await end(first, 'SIGKILL');
    await site.startAgent();
    const again = await eventually('an answer', async () => await ask(url, token).catch(() => undefined));
    expect(again).toMatchObject({ status: 200, body: { epoch: 3_000_000 } });
    expect(alive(pid)).toBe(true);
    // Later versions of the same owner do not restart it, and a newer epoch is told to who asks.
    hub.want(owner({ epoch: 5, version: { generation: 2 } }));
    await eventually('the newer epoch', async () => (await ask(url, token)).body.epoch === 5_000_000);
    expect(alive(pid)).toBe(true);
  });
});

async function uptimeMs(): Promise<number> {
  return Number((await readFile('/proc/uptime', 'utf8')).split(' ')[0]) * 1_000;
}
