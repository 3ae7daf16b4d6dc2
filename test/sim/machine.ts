import type { Random, SimDisk, SimProcess, Timeline } from '@skerry/sim';

/** A replica as it really is, whatever anybody believes of it. */
export interface Physical {
  readonly pid: number;
  readonly id: string;
  /** `<project>.<name>`. */
  readonly key: string;
  readonly slot: number;
  readonly version: string;
  /** What tells one generation's processes from another's. */
  readonly mark: string | undefined;
  /** What it shows its agent. */
  readonly token: string | undefined;
  readonly cpuMillicores: number;
  readonly startedAt: number;
  /** `stopping`: it was told to end and runs still. */
  state: 'up' | 'stopping';
  /** It answers its health check. */
  healthy: boolean;
}

export interface Launched {
  readonly id: string;
  readonly resources: { readonly cpuMillicores: number };
  readonly env: Readonly<Record<string, string>>;
  /** Says until when it may run, in ms of the machine's uptime: its keeper ends it when that has passed. */
  readonly deadlineFile?: string | undefined;
}

/** Told of everything that replicas do. */
export type Watcher = (
  machine: Machine,
  replica: Physical,
  what: 'started' | 'stopping' | 'ended' | 'unhealthy' | 'healthy',
) => void;

/** Until what was told to end has ended. */
const STOPS_MS = [5, 1_500] as const;
/** Between two looks of a keeper at its deadline. */
const KEEPER_LOOKS_MS = 1_000;
/** One in so many does not listen, and is killed when its grace is over. */
const DEAF_SHARE = 0.05;
/** Until a replica that has started answers its health check. */
const WARMS_UP_MS = [50, 3_000] as const;

/** A machine: a disk, and replicas that outlive the agent that has started them. Its own death ends everything on it. */
export class Machine {
  readonly replicas = new Map<number, Physical>();
  boots = 0;
  /** Called when a singleton is about to begin: its record is written, its process is not there yet. */
  onBegins: () => void = () => undefined;
  private readonly lookers = new Map<number, (code: number | undefined) => void>();
  private pids = 0;

  constructor(
    readonly site: string,
    readonly node: string,
    readonly disk: SimDisk,
    private readonly at: {
      timeline: Timeline;
      random: Random;
      watch: Watcher;
      rate: number;
      cpuMillicores: number;
    },
  ) {}

  /** What replicas may use of it. */
  get cpuMillicores(): number {
    return this.at.cpuMillicores;
  }

  /** What they do not use. */
  get freeMillicores(): number {
    let free = this.cpuMillicores;
    for (const r of this.replicas.values()) if (r.state === 'up') free -= r.cpuMillicores;
    return free;
  }

  get name(): string {
    return `${this.site}/${this.node}`;
  }

  get bootId(): string {
    return `boot-${this.name}-${this.boots}`;
  }

  nextPid(): number {
    this.pids += 1;
    return this.pids;
  }

  runs(pid: number): Physical | undefined {
    return this.replicas.get(pid);
  }

  start(pid: number, { id, resources, env, deadlineFile }: Launched): void {
    const replica: Physical = {
      pid,
      id,
      key: `${env['SKERRY_PROJECT']}.${env['SKERRY_WORKLOAD']}`,
      slot: Number(env['SKERRY_SLOT']),
      version: env['SKERRY_VERSION'] ?? '',
      mark: env['MARK'],
      token: env['SKERRY_AGENT_TOKEN'],
      cpuMillicores: resources.cpuMillicores,
      startedAt: this.at.timeline.now,
      state: 'up',
      healthy: false,
    };
    this.replicas.set(pid, replica);
    this.at.watch(this, replica, 'started');
    this.later(WARMS_UP_MS, replica, () => this.setHealthy(replica, true));
    if (deadlineFile !== undefined) this.keep(replica, deadlineFile);
  }

  /** Told to end: it does, in its own time; resolves in the asker's process when it has. */
  stop(pid: number, graceMs: number, asker: SimProcess): Promise<void> {
    const replica = this.replicas.get(pid);
    this.lookers.delete(pid);
    if (replica === undefined) return Promise.resolve();
    if (replica.state === 'up') {
      replica.state = 'stopping';
      this.at.watch(this, replica, 'stopping');
      const listens = !this.at.random.chance(DEAF_SHARE);
      const [least, most] = STOPS_MS;
      const ms = listens ? Math.min(graceMs, this.at.random.between(least, most)) : graceMs;
      this.at.timeline.after(ms, this.world, () => this.end(pid));
    }
    return new Promise((resolve) => {
      const look = () => {
        if (this.replicas.get(pid) === replica) asker.after(20, look);
        else resolve();
      };
      asker.after(1, look);
    });
  }

  /** Calls when it ends by itself; in the looker's process. */
  look(pid: number, looker: SimProcess, ended: (code: number | undefined) => void): void {
    this.lookers.set(pid, (code) => void looker.after(1, () => ended(code)));
  }

  /** It crashed. */
  crash(pid: number): void {
    this.end(pid, 1);
  }

  setHealthy(replica: Physical, healthy: boolean): void {
    if (this.replicas.get(replica.pid) !== replica || replica.healthy === healthy) return;
    replica.healthy = healthy;
    this.at.watch(this, replica, healthy ? 'healthy' : 'unhealthy');
  }

  /** The power fails: what ran is gone, and what was not synced may be. */
  losePower(): void {
    this.lookers.clear();
    for (const pid of this.replicas.keys()) this.end(pid);
    this.disk.losePower();
    this.boots += 1;
  }

  /** What the keeper of a singleton does, whether there is an agent or not. */
  private keep(replica: Physical, file: string): void {
    this.at.timeline.after(KEEPER_LOOKS_MS, this.world, () => {
      if (this.replicas.get(replica.pid) !== replica) return;
      const deadline = this.disk.has(file) ? Number(this.disk.read(file)) : 0;
      if (this.at.timeline.now * this.at.rate < deadline) return this.keep(replica, file);
      this.end(replica.pid);
    });
  }

  private end(pid: number, code?: number): void {
    const replica = this.replicas.get(pid);
    if (replica === undefined) return;
    this.replicas.delete(pid);
    this.at.watch(this, replica, 'ended');
    const tell = this.lookers.get(pid);
    this.lookers.delete(pid);
    tell?.(code);
  }

  private later([least, most]: readonly [number, number], replica: Physical, act: () => void): void {
    this.at.timeline.after(this.at.random.between(least, most), this.world, () => {
      if (this.replicas.get(replica.pid) === replica) act();
    });
  }

  private get world(): SimProcess {
    return this.at.timeline.world;
  }
}
