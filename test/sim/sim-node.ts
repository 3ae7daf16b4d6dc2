import { NodeAgent, siteFileSchema, Uplink } from '@skerry/agent';
import { Link, WiredBus, type Random, type SimProcess, type SimServer, type Timeline } from '@skerry/sim';
import { setHost, type Answers } from './hosts.js';
import type { Machine } from './machine.js';

const ON_THE_SPOT = { delayMs: 0.05, jitterMs: 0.3 };
/** Whoever looks after an agent starts one again that ended by itself. */
const AGENT_AGAIN_MS = 1_000;
const SERVER_PORT = 4_222;

export interface NodeParts {
  site: string;
  account: string;
  /** The site's own. */
  server: SimServer;
  machine: Machine;
  /** Whether that server runs on this machine, and ends with it. */
  hostsServer: boolean;
  /** Seed of the nkey that its site has joined with; without, it seals nothing. */
  nkeySeed: string | undefined;
}
export interface NodeAround {
  makeProcess: (name: string) => SimProcess;
  random: Random;
  say: (who: string, what: string) => void;
}

/** A node of a site: its machine, the agent that runs there when one does, and its way to the site's server. */
export class SimNode {
  agentProcess: SimProcess | undefined;
  /** It has started. */
  agent: NodeAgent | undefined;
  /** What it answers replicas. */
  answers: Answers[] = [];
  private link: Link | undefined;
  private starting: (() => void) | undefined;
  private cutOff = false;

  constructor(
    /** What it is called in transcripts. */
    readonly name: string,
    private readonly timeline: Timeline,
    private readonly parts: NodeParts,
    private readonly around: NodeAround,
  ) {}

  get machine(): Machine {
    return this.parts.machine;
  }

  get hostsServer(): boolean {
    return this.parts.hostsServer;
  }

  /** Whether its agent runs, and hears the site's server. */
  get acts(): boolean {
    const { agentProcess, link, parts } = this;
    return agentProcess?.alive === true && !agentProcess.stopped && link?.hears === true && parts.server.up;
  }

  /** Sets the machine up and starts its agent. */
  begin(withinMs: number): void {
    const { disk } = this.machine;
    disk.makeFolder(this.folder);
    disk.create(`${this.folder}/site.json`, 'w');
    disk.append(`${this.folder}/site.json`, JSON.stringify(this.siteFile()));
    if (this.parts.nkeySeed !== undefined) {
      disk.create(`${this.folder}/user.seed`, 'w');
      disk.append(`${this.folder}/user.seed`, this.parts.nkeySeed);
      disk.sync(`${this.folder}/user.seed`);
    }
    for (const path of [`${this.folder}/site.json`, this.folder, '/sites', '/']) disk.sync(path);
    this.startAgent(this.around.random.between(0, withinMs));
  }

  /** As kill -9; what it has started runs on. */
  killAgent(downMs: number): void {
    this.around.say(this.name, 'its agent is killed');
    this.endAgent();
    this.startAgent(downMs);
  }

  /** The power fails: everything on the machine ends at once. */
  losePower(downMs: number): void {
    this.endAgent();
    this.machine.losePower();
    this.startAgent(downMs + this.around.random.between(0, 2_000));
  }

  /** Its packets to the site's server, or from it, vanish, or the connection breaks; until `heal`. */
  cut(...ways: Parameters<Link['stall']>): void {
    this.cutOff = true;
    if (ways.length === 0) this.link?.cut();
    else this.link?.stall(...ways);
  }

  heal(): void {
    this.cutOff = false;
    this.link?.heal();
  }

  /** The site's server went down. */
  resetLink(): void {
    this.link?.reset();
  }

  private get folder(): string {
    return `/sites/${this.parts.site}`;
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
      this.answers = [];
      const { machine, answers } = this;
      setHost(process, { machine, answers, connect: () => this.connect(process) });
      this.timeline.after(0, process, () => void this.runAgent(process));
    });
  }

  private async runAgent(process: SimProcess): Promise<void> {
    try {
      const agent = await NodeAgent.start(this.folder, { log: this.log(process) });
      if (this.agentProcess === process) this.agent = agent;
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
    const { server } = this.parts;
    const link = new Link(process.name, process, server, this.around.random.fork('link'), ON_THE_SPOT);
    this.link = link;
    if (this.cutOff) link.cut();
    const onAlarm = ({ what, error }: { what: string; error: unknown }) =>
      this.around.say(
        process.name,
        `alarm: ${what}: ${error instanceof Error ? error.message : String(error)}`,
      );
    return new WiredBus(link, server, { onAlarm });
  }

  private log(process: SimProcess) {
    const say =
      (level: string) =>
      (message: string, fields: Record<string, unknown> = {}) =>
        this.around.say(process.name, `${level} ${message} ${JSON.stringify(fields)}`);
    return { debug: () => undefined, info: say('info'), warn: say('warn'), error: say('error') };
  }

  private siteFile(): object {
    const { node, cpuMillicores } = this.machine;
    return siteFileSchema.parse({
      site: this.parts.site,
      node,
      account: this.parts.account,
      server: { host: '127.0.0.1', port: SERVER_PORT },
      address: '127.0.0.1',
      allocatable: { cpuMillicores, memoryMiB: 65_536, diskMiB: 65_536, gpus: 0 },
      drivers: ['process'],
    });
  }
}
