import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { ensureDebianTool } from '@skerry/nats-server';
import type { CloudOptions } from '@skerry/local';

/** Which packets between a site and the hub are dropped: all, those to the hub (`up`), or those to the site (`down`). */
export type Cut = 'both' | 'up' | 'down';

/** Of every namespace, bridge and link of a lab; the process id behind it tells whose they are. */
const PREFIX = 'sklab';
/** Addresses of 198.18.0.0/15 are for such labs, and nobody routes them. */
const WAN = '198.18';
const DESK = '198.19';
const FIRST_HOST = 2;
const MAX_SITES = 200;
const ESTABLISHED = '01';

/**
 * Sites on machines of their own: each has a network namespace with two links, one to the hub that is cut by dropping
 * packets, and one over which the test itself looks (`desk`) and which is never cut:
 *
 *     host 198.18.N.1 ═ wan ═ 198.18.N.x  site  198.19.N.x ═ desk ═ 198.19.N.1 host
 *
 * What runs at the site listens on its loopback; what comes in by the desk is handed on to there.
 */
export class SiteLab {
  private readonly hosts = new Map<string, number>();

  private constructor(
    private readonly net: number,
    private readonly iptables: { path: string; env: Readonly<Record<string, string>> },
  ) {}

  /** Makes the hub's side. Clears away first what labs of processes that are gone have left. */
  static async make(): Promise<SiteLab> {
    clearLeftovers();
    const iptables = await ensureDebianTool('iptables');
    const lab = new SiteLab(freeNet(), iptables);
    for (const [bridge, prefix] of [
      [lab.bridge('w'), WAN],
      [lab.bridge('d'), DESK],
    ] as const) {
      ip('link', 'add', bridge, 'type', 'bridge');
      ip('addr', 'add', `${prefix}.${lab.net}.1/24`, 'dev', bridge);
      ip('link', 'set', bridge, 'up');
    }
    return lab;
  }

  /** Address at which sites reach the hub: give it to the cloud as `listen`. */
  get hubAddress(): string {
    return `${WAN}.${this.net}.1`;
  }

  /** Puts a site's processes on its machine, which is made when it is first asked for. For `CloudOptions.siteProcess`. */
  readonly siteProcess: NonNullable<CloudOptions['siteProcess']> = (site, spec) => {
    if (!this.hosts.has(site)) this.addMachine(site);
    return { ...spec, argv: this.command(site, spec.argv) };
  };

  /** An argv that runs another on a site's machine. */
  command(site: string, argv: readonly string[]): [string, ...string[]] {
    return ['nsenter', `--net=/run/netns/${this.namespace(site)}`, ...argv];
  }

  /** `host:port` at which this process reaches what listens on loopback at a site, cut off or not. */
  deskAddress(site: string, port: number): string {
    return `${DESK}.${this.net}.${this.host(site)}:${port}`;
  }

  /** Drops packets between a site and the hub from now on; connections are not told. */
  cut(site: string, which: Cut = 'both'): void {
    if (which !== 'down') this.rule(site, '-A', ['OUTPUT', '-o', 'wan', '-j', 'DROP']);
    if (which !== 'up') this.rule(site, '-A', ['INPUT', '-i', 'wan', '-j', 'DROP']);
  }

  /**
   * Makes the connections that a site has to the hub half-open: their packets are dropped, those of new ones are not.
   * As a router does that was restarted and has forgotten them. Answers how many there were.
   */
  forget(site: string): number {
    const ports = this.connectionPorts(site);
    for (const port of ports) {
      this.rule(site, '-A', ['OUTPUT', '-o', 'wan', '-p', 'tcp', '--sport', String(port), '-j', 'DROP']);
      this.rule(site, '-A', ['INPUT', '-i', 'wan', '-p', 'tcp', '--dport', String(port), '-j', 'DROP']);
    }
    return ports.length;
  }

  /** Lets everything through again. */
  heal(site: string): void {
    this.rule(site, '-F', ['INPUT']);
    this.rule(site, '-F', ['OUTPUT']);
  }

  /** What `/proc/PID/ns/net` says of a process at a site. */
  namespaceId(site: string): string {
    return `net:[${statSync(`/run/netns/${this.namespace(site)}`).ino}]`;
  }

  /** Ids of the processes that run at a site: its server, its agents and their replicas. */
  processes(site: string): number[] {
    const { stdout } = spawnSync('ip', ['netns', 'pids', this.namespace(site)], { encoding: 'utf8' });
    return stdout.split('\n').filter(Boolean).map(Number);
  }

  /** Ends what runs at the sites and removes everything of this lab. */
  remove(): void {
    for (const site of this.hosts.keys()) {
      for (const pid of this.processes(site)) killHard(pid);
      spawnSync('ip', ['netns', 'del', this.namespace(site)]);
    }
    for (const kind of ['w', 'd'] as const) spawnSync('ip', ['link', 'del', this.bridge(kind)]);
    this.hosts.clear();
  }

  private addMachine(site: string): void {
    const host = FIRST_HOST + this.hosts.size;
    if (host > MAX_SITES) throw new Error(`a lab has at most ${MAX_SITES} sites`);
    this.hosts.set(site, host);
    const namespace = this.namespace(site);
    ip('netns', 'add', namespace);
    ip('-n', namespace, 'link', 'set', 'lo', 'up');
    for (const [kind, name, prefix] of [
      ['w', 'wan', WAN],
      ['d', 'desk', DESK],
    ] as const) {
      const outer = `${this.bridge(kind)}-${host}`;
      ip('link', 'add', outer, 'type', 'veth', 'peer', 'name', name, 'netns', namespace);
      ip('link', 'set', outer, 'master', this.bridge(kind), 'up');
      ip('-n', namespace, 'addr', 'add', `${prefix}.${this.net}.${host}/24`, 'dev', name);
      ip('-n', namespace, 'link', 'set', name, 'up');
    }
    this.inside(site, ['sysctl', '-qw', 'net.ipv4.conf.desk.route_localnet=1']);
    const handOn = ['PREROUTING', '-i', 'desk', '-p', 'tcp', '-j', 'DNAT', '--to-destination', '127.0.0.1'];
    this.inside(site, [this.iptables.path, '-w', '-t', 'nat', '-A', ...handOn], this.iptables.env);
    // Else an answer that comes late on a busy machine is taken for none of this connection, goes out as it is, and ends it.
    this.inside(site, ['sysctl', '-qew', 'net.netfilter.nf_conntrack_tcp_be_liberal=1']);
  }

  private rule(site: string, verb: '-A' | '-F', rest: readonly string[]): void {
    this.inside(site, [this.iptables.path, '-w', verb, ...rest], this.iptables.env);
  }

  private inside(site: string, argv: readonly string[], env: Readonly<Record<string, string>> = {}): void {
    run(['nsenter', `--net=/run/netns/${this.namespace(site)}`, ...argv], env);
  }

  /** Local ports of the connections that a site has to the hub. */
  private connectionPorts(site: string): number[] {
    const [pid] = this.processes(site);
    if (pid === undefined) return [];
    const hub = hexAddress(this.hubAddress);
    const [, ...lines] = readFileSync(`/proc/${pid}/net/tcp`, 'utf8').trim().split('\n');
    return lines.flatMap((line) => {
      const [, local = '', remote = '', state] = line.trim().split(/\s+/);
      const mine = state === ESTABLISHED && remote.startsWith(`${hub}:`);
      return mine ? [Number.parseInt(local.split(':')[1] ?? '', 16)] : [];
    });
  }

  private host(site: string): number {
    const host = this.hosts.get(site);
    if (host === undefined) throw new Error(`the lab has no site ${site}`);
    return host;
  }

  private namespace(site: string): string {
    return `${PREFIX}${process.pid}-${this.net}-${this.host(site)}`;
  }

  /** At most 15 characters with a host's number behind it, which is all that Linux gives a link's name. */
  private bridge(kind: 'w' | 'd'): string {
    return `sk${process.pid.toString(36)}${kind}${this.net.toString(36)}`;
  }
}

/** Removes what labs of processes that are gone have left; those of living processes are theirs. */
function clearLeftovers(): void {
  const { stdout: names } = spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' });
  for (const [name, pid] of names.matchAll(new RegExp(`^${PREFIX}(\\d+)-\\d+-\\d+`, 'gm'))) {
    if (isAlive(Number(pid))) continue;
    const { stdout } = spawnSync('ip', ['netns', 'pids', name], { encoding: 'utf8' });
    for (const left of stdout.split('\n').filter(Boolean)) killHard(Number(left));
    spawnSync('ip', ['netns', 'del', name]);
  }
  const { stdout: links } = spawnSync('ip', ['-o', 'link', 'show', 'type', 'bridge'], { encoding: 'utf8' });
  for (const [, name, pid] of links.matchAll(/ (sk([0-9a-z]+)[wd][0-9a-z]{1,2}):/g)) {
    if (name !== undefined && !isAlive(Number.parseInt(pid ?? '', 36)))
      spawnSync('ip', ['link', 'del', name]);
  }
}

/** A third number of the lab's addresses that no link of this machine has. */
function freeNet(): number {
  const { stdout } = spawnSync('ip', ['-o', '-4', 'addr'], { encoding: 'utf8' });
  for (;;) {
    const net = randomInt(0, 256);
    if (!stdout.includes(` ${WAN}.${net}.`) && !stdout.includes(` ${DESK}.${net}.`)) return net;
  }
}

/** An IPv4 address as /proc/net/tcp has it. */
function hexAddress(address: string): string {
  const bytes = address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'));
  return bytes.toReversed().join('').toUpperCase();
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function killHard(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

function ip(...args: string[]): void {
  run(['ip', ...args]);
}

function run(argv: readonly string[], env: Readonly<Record<string, string>> = {}): void {
  const [command = '', ...args] = argv;
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8', env: { ...process.env, ...env } });
  if (status !== 0) throw new Error(`${argv.join(' ')}: ${stderr.trim()}`);
}
