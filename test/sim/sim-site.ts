import { NodeAgent, siteFileSchema, Uplink } from '@skerry/agent';
import type { Site } from '@skerry/contracts';
import {
  Link,
  WiredBus,
  type Leaf,
  type Random,
  type SimProcess,
  type SimServer,
  type Timeline,
} from '@skerry/sim';
import { setHost } from './hosts.js';
import type { Machine } from './machine.js';

const ON_THE_SPOT = { delayMs: 0.05, jitterMs: 0.3 };
/** Whoever looks after an agent starts one again that ended by itself. */
const AGENT_AGAIN_MS = 1_000;
const SERVER_PORT = 4_222;

interface Parts {
  spec: Site;
  server: SimServer;
  leaf: Leaf;
  machine: Machine;
  cpuMillicores: number;
}
interface Around {
  makeProcess: (name: string) => SimProcess;
  random: Random;
  say: (who: string, what: string) => void;
}

/** A site of one node: its server, its machine, and the agent that runs there when one does. */
export class SimSite {
  readonly name: string;
  readonly server: SimServer;
  readonly leaf: Leaf;
  readonly machine: Machine;
  readonly cpuMillicores: number;
  agentProcess: SimProcess | undefined;
  agent: NodeAgent | undefined;
  private link: Link | undefined;
  private starting: (() => void) | undefined;

  constructor(
    private readonly timeline: Timeline,
    private readonly parts: Parts,
    private readonly around: Around,
  ) {
    this.name = parts.spec.name;
    this.server = parts.server;
    this.leaf = parts.leaf;
    this.machine = parts.machine;
    this.cpuMillicores = parts.cpuMillicores;
    this.server.onDown(() => this.link?.reset());
  }

  get spec(): Site {
    return this.parts.spec;
  }

  get leafLink(): Link {
    return this.leaf.link;
  }

  /** Sets the machine up and starts its agent. */
  begin(): void {
    const { disk } = this.machine;
    disk.makeFolder(this.folder);
    disk.create(`${this.folder}/site.json`, 'w');
    disk.append(`${this.folder}/site.json`, JSON.stringify(this.siteFile()));
    for (const path of [`${this.folder}/site.json`, this.folder, '/sites', '/']) disk.sync(path);
    this.startAgent(this.around.random.between(0, 1_000));
  }

  /** As kill -9; what it has started runs on. */
  killAgent(downMs: number): void {
    this.around.say(this.name, 'its agent is killed');
    this.endAgent();
    this.startAgent(downMs);
  }

  /** The power fails: everything at the site ends at once. */
  losePower(downMs: number, losingMs: number): void {
    this.around.say(this.name, `loses power${losingMs > 0 ? `, its server's last ${losingMs} ms too` : ''}`);
    this.endAgent();
    this.server.down(losingMs);
    this.machine.losePower();
    const [server, agent] = [this.around.random.between(0, 2_000), this.around.random.between(0, 2_000)];
    this.timeline.after(downMs + server, this.timeline.world, () => this.server.start());
    this.startAgent(downMs + agent);
  }

  /** The site's own server ends and comes back. */
  restartServer(downMs: number, losingMs: number): void {
    this.around.say(this.name, `its server goes down${losingMs > 0 ? `, losing ${losingMs} ms` : ''}`);
    this.server.down(losingMs);
    this.timeline.after(downMs, this.timeline.world, () => this.server.start());
  }

  private get folder(): string {
    return `/sites/${this.name}`;
  }

  private endAgent(): void {
    this.starting?.();
    this.agentProcess?.kill();
    this.agentProcess = undefined;
    this.agent = undefined;
  }

  private startAgent(afterMs: number): void {
    this.starting?.();
    this.starting = this.timeline.after(afterMs, this.timeline.world, () => {
      this.starting = undefined;
      const process = this.around.makeProcess(`agent ${this.name}`);
      this.agentProcess = process;
      setHost(process, { machine: this.machine, connect: () => this.connect(process) });
      this.timeline.after(0, process, () => void this.runAgent(process));
    });
  }

  private async runAgent(process: SimProcess): Promise<void> {
    try {
      const agent = await NodeAgent.start(this.folder, { log: this.log(process) });
      this.agent = agent;
      const uplink = new Uplink(agent);
      void uplink;
    } catch (error) {
      this.around.say(
        process.name,
        `did not start: ${error instanceof Error ? error.message : String(error)}`,
      );
      this.timeline.after(0, this.timeline.world, () => {
        if (this.agentProcess !== process) return;
        this.endAgent();
        this.startAgent(AGENT_AGAIN_MS);
      });
    }
  }

  private connect(process: SimProcess): WiredBus {
    const link = new Link(process.name, process, this.server, this.around.random.fork('link'), ON_THE_SPOT);
    this.link = link;
    const onAlarm = ({ what, error }: { what: string; error: unknown }) =>
      this.around.say(
        process.name,
        `alarm: ${what}: ${error instanceof Error ? error.message : String(error)}`,
      );
    return new WiredBus(link, this.server, { onAlarm });
  }

  private log(process: SimProcess) {
    const say =
      (level: string) =>
      (message: string, fields: Record<string, unknown> = {}) =>
        this.around.say(process.name, `${level} ${message} ${JSON.stringify(fields)}`);
    return { debug: () => undefined, info: say('info'), warn: say('warn'), error: say('error') };
  }

  private siteFile(): object {
    const { cpuMillicores } = this;
    return siteFileSchema.parse({
      site: this.name,
      node: this.machine.node,
      account: this.parts.spec.account,
      server: { host: '127.0.0.1', port: SERVER_PORT },
      address: '127.0.0.1',
      allocatable: { cpuMillicores, memoryMiB: 65_536, diskMiB: 65_536, gpus: 0 },
      drivers: ['process'],
    });
  }
}
