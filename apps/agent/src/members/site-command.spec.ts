import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryServer, type Lease, type Subscription } from '@skerry/bus';
import { SITE, SITE_STREAMS } from '@skerry/contracts';
import { Tombstones } from '../desired/tombstones.js';
import { NodeAgent } from '../node-agent.js';
import { nodeReport } from '../reports/node-report.js';
import { eventually, QUIET, SiteUnderTest } from '../site-under-test.suite.js';
import { SiteCommand } from './site-command.js';

/** A lease that is held when the test says so. */
class HandLease implements Lease {
  epoch: number | undefined;
  private told: Parameters<Lease['run']>[0] | undefined;

  run(callbacks: Parameters<Lease['run']>[0]): void {
    this.told = callbacks;
  }

  release(): Promise<void> {
    this.epoch = undefined;
    return Promise.resolve();
  }

  async got(epoch: number): Promise<void> {
    this.epoch = epoch;
    await this.told?.onAcquired(epoch);
  }

  async lost(): Promise<void> {
    this.epoch = undefined;
    await this.told?.onLost();
  }
}

/** A site's server that counts who carries reports up. */
class CountingBus extends MemoryBus {
  readonly hand = new HandLease();
  carriers = 0;

  override lease(): Lease {
    return this.hand;
  }

  override async consume(...given: Parameters<MemoryBus['consume']>): Promise<Subscription> {
    const subscription = await super.consume(...given);
    this.carriers += 1;
    return {
      drain: async () => {
        this.carriers -= 1;
        await subscription.drain();
      },
    };
  }
}

describe('who controls a site of several nodes', () => {
  let site: SiteUnderTest;
  let agent: NodeAgent;
  let bus: CountingBus;
  let command: SiteCommand;

  beforeEach(async () => {
    site = await SiteUnderTest.make();
    agent = await NodeAgent.start(site.dir, { log: QUIET });
    bus = new CountingBus(new MemoryServer());
    await bus.ensureStream({
      name: SITE_STREAMS.OUT,
      owner: 'agent',
      subjects: ['out.>'],
      maxBytes: 1_000_000,
      discard: 'new',
      duplicateWindowS: 120,
    });
    bus.respond('up.>', () => ({ ok: true }));
    bus.respond(SITE.ping, () => ({ at: new Date().toISOString(), lease: true }));
    const { incarnation } = agent;
    const report = nodeReport(agent.site, agent.facts);
    for (const node of ['n1', 'n2']) {
      const me = { ...report, node };
      await agent.roster.enter(bus, {
        kind: 'Member',
        incarnation,
        joinedAt: new Date().toISOString(),
        labels: {},
        report: me,
      });
    }
    await agent.roster.follow(bus);
    command = new SiteCommand({
      agent,
      bus,
      tombstones: new Tombstones(agent.store, QUIET),
      lastSequence: () => 0,
    });
    await command.start();
  });
  afterEach(async () => {
    await command.close();
    await agent.close();
    await bus.close();
    await site.close();
  });

  it('does while it holds the lease, and no longer', async () => {
    await bus.hand.got(5);
    expect([command.acting, bus.carriers]).toEqual([true, 1]);
    await bus.hand.lost();
    expect([command.acting, bus.carriers]).toEqual([false, 0]);
  });

  it('leaves nothing behind of a lease that was lost before all had begun, also when it comes back', async () => {
    const beginning = bus.hand.got(5);
    await bus.hand.lost();
    await beginning;
    expect([command.acting, bus.carriers]).toEqual([false, 0]);
    await bus.hand.got(7);
    expect([command.acting, bus.carriers]).toEqual([true, 1]);
    // Once more, later: the controller has begun, and its voice has not.
    await bus.hand.lost();
    const again = bus.hand.got(9);
    await eventually('it controls', () => command.acting);
    await bus.hand.lost();
    await again;
    expect([command.acting, bus.carriers]).toEqual([false, 0]);
  });
});
