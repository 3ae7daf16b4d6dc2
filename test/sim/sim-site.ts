import type { Site } from '@skerry/contracts';
import type { Crossing, Leaf, Link, Random, SimServer, Timeline } from '@skerry/sim';
import type { Physical } from './machine.js';
import type { SimNode } from './sim-node.js';

/** One node of several comes so late, now and then. */
const LATE_MS = 15_000;
const LATE_SHARE = 0.2;

/** A site: its server, its way to the hub, and one node or several. */
export class SimSite {
  readonly name: string;

  constructor(
    private readonly timeline: Timeline,
    private readonly parts: { spec: Site; server: SimServer; leaf: Leaf; nodes: readonly SimNode[] },
    private readonly around: { random: Random; say: (who: string, what: string) => void },
  ) {
    this.name = parts.spec.name;
    this.server.onDown(() => {
      for (const node of this.nodes) node.resetLink();
    });
  }

  get spec(): Site {
    return this.parts.spec;
  }

  get server(): SimServer {
    return this.parts.server;
  }

  get leafLink(): Link {
    return this.parts.leaf.link;
  }

  /** From now on what is new in datasets comes down too. */
  carryDatasets(): void {
    this.parts.leaf.carryDatasets();
  }

  /** From now on what is new in logs comes down too. */
  carryLogs(): void {
    this.parts.leaf.carryLogs();
  }

  /** Called with all that goes between it and the hub, but for what is desired. */
  onCrossing(listener: (crossing: Crossing) => void): void {
    this.parts.leaf.onCrossing(listener);
  }

  get nodes(): readonly SimNode[] {
    return this.parts.nodes;
  }

  get several(): boolean {
    return this.nodes.length > 1;
  }

  /** Everything that runs at the site. */
  get replicas(): Physical[] {
    return this.nodes.flatMap(({ machine }) => [...machine.replicas.values()]);
  }

  begin(): void {
    const { random } = this.around;
    for (const [i, node] of this.nodes.entries())
      node.begin(i > 0 && random.chance(LATE_SHARE) ? LATE_MS : 1_000);
  }

  /** The power fails: everything at the site ends at once. */
  losePower(downMs: number, losingMs: number): void {
    const { random, say } = this.around;
    say(this.name, `loses power${losingMs > 0 ? `, its server's last ${losingMs} ms too` : ''}`);
    this.server.down(losingMs);
    const serverAfterMs = downMs + random.between(0, 2_000);
    this.timeline.after(serverAfterMs, this.timeline.world, () => this.server.start());
    for (const node of this.nodes) node.losePower(downMs);
  }

  /** One of its machines dies, and the site's server with it when that runs there; it comes back after a while. */
  loseNode(node: SimNode, downMs: number, losingMs: number): void {
    this.around.say(node.name, `loses power${node.hostsServer ? ', and the site’s server with it' : ''}`);
    node.losePower(downMs);
    if (!node.hostsServer) return;
    this.server.down(losingMs);
    this.timeline.after(downMs, this.timeline.world, () => this.server.start());
  }

  /** The site's own server ends and comes back. */
  restartServer(downMs: number, losingMs: number): void {
    this.around.say(this.name, `its server goes down${losingMs > 0 ? `, losing ${losingMs} ms` : ''}`);
    this.server.down(losingMs);
    this.timeline.after(downMs, this.timeline.world, () => this.server.start());
  }
}
