import type { Bus } from '@skerry/bus';
import { SITE, type Node, type NodeRule, type SiteStanding } from '@skerry/contracts';
import type { SiteSummary } from '../control/site-voice.js';
import { reason } from '../log.js';
import type { NodeAgent } from '../node-agent.js';
import { capacityOf } from '../node-facts.js';
import { messageId } from '../reports/message-id.js';
import { nodeReport } from '../reports/node-report.js';

const RETRY_MS = 500;

/** The only node of its site, which speaks for it without asking anybody: what it says of itself and of the site. */
export class LoneNode implements SiteSummary {
  private told: NodeRule | 'none' | undefined;
  private publishing = false;
  private ended = false;

  constructor(
    private readonly bus: Bus,
    private readonly agent: NodeAgent,
    /** Whether it speaks for its site now: until that has a second node. */
    readonly acting: () => boolean,
  ) {}

  nodes(): number {
    return 1;
  }

  /** All of its room, whatever is wanted of it: what runs here has to be counted until it has gone. */
  capacity() {
    return capacityOf(this.agent.room, this.agent.driverNames);
  }

  /** As its operators want it. The last node of a site is removed with the site: until then it gives away what it has. */
  standing(): SiteStanding | undefined {
    const { rule } = this;
    return rule === 'removed' ? 'draining' : rule;
  }

  held(): number {
    return this.agent.store.size;
  }

  running(): number {
    return this.agent.runner.running;
  }

  troubles(): string[] {
    return this.agent.troubles;
  }

  /** Tells the hub what this machine is and is wanted to be; rejects when the outbox does not take it. */
  async publish(): Promise<void> {
    const { agent } = this;
    const { rule } = this;
    const node: Node = {
      ...nodeReport(agent.site, agent.facts),
      report: await agent.counter.next(),
      ...(rule === undefined ? {} : { phase: rule }),
    };
    await this.bus.publish(SITE.outboxNode(agent.site.node), node, { messageId: messageId() });
    this.told = rule ?? 'none';
  }

  /** Something else may be wanted of it: tells it, until the outbox has it. */
  look(): void {
    if (this.ended || this.publishing || this.told === (this.rule ?? 'none')) return;
    this.publishing = true;
    void this.publish()
      .catch(async (error: unknown) => {
        this.agent.log.debug('this node was not reported', { reason: reason(error) });
        await new Promise((go) => setTimeout(go, RETRY_MS).unref());
      })
      .then(() => {
        this.publishing = false;
        this.look();
      });
  }

  end(): void {
    this.ended = true;
  }

  private get rule(): NodeRule | undefined {
    return this.agent.ruleOf(this.agent.site.node);
  }
}
