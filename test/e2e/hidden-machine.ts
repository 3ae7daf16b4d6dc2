import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { ensureDebianTool } from '@skerry/nats-server';

/** True when this process may make network namespaces; else the tests that need one are skipped and say so. */
export function mayMakeNamespaces(): boolean {
  if (process.getuid?.() !== 0) return false;
  const name = `skprobe${randomBytes(2).toString('hex')}`;
  const made = spawnSync('ip', ['netns', 'add', name]).status === 0;
  if (made) spawnSync('ip', ['netns', 'del', name]);
  return made;
}

/**
 * A machine behind a router that masquerades: it reaches the host, nothing reaches it. Two namespaces of our own:
 *
 *     host 10.A.B.1 ── 10.A.B.2 router 10.A.C.1 ── 10.A.C.2 machine
 */
export class HiddenMachine {
  private readonly children = new Set<ChildProcess>();
  private constructor(
    private readonly id: string,
    /** Address of the host as the machine sees it. */
    readonly hostAddress: string,
  ) {}

  static async make(): Promise<HiddenMachine> {
    const id = randomBytes(2).toString('hex');
    const [a, b] = [randomBytes(1).readUInt8(), randomBytes(1).readUInt8() & 0xfe];
    const machine = new HiddenMachine(id, `10.${a}.${b}.1`);
    const iptables = await ensureDebianTool('iptables');
    const [outer, inner] = [`10.${a}.${b}`, `10.${a}.${b + 1}`];
    const { router, site } = machine.names;
    ip('netns', 'add', router);
    ip('netns', 'add', site);
    ip('link', 'add', `sk${id}h`, 'type', 'veth', 'peer', 'name', `sk${id}r`, 'netns', router);
    ip('link', 'add', `sk${id}i`, 'netns', router, 'type', 'veth', 'peer', 'name', `sk${id}s`, 'netns', site);
    ip('addr', 'add', `${outer}.1/24`, 'dev', `sk${id}h`);
    ip('link', 'set', `sk${id}h`, 'up');
    for (const [ns, dev, address] of [
      [router, `sk${id}r`, `${outer}.2/24`],
      [router, `sk${id}i`, `${inner}.1/24`],
      [site, `sk${id}s`, `${inner}.2/24`],
    ] as const) {
      ip('-n', ns, 'addr', 'add', address, 'dev', dev);
      ip('-n', ns, 'link', 'set', dev, 'up');
    }
    for (const ns of [router, site]) ip('-n', ns, 'link', 'set', 'lo', 'up');
    ip('-n', site, 'route', 'add', 'default', 'via', `${inner}.1`);
    inNamespace(router, ['sysctl', '-qw', 'net.ipv4.ip_forward=1']);
    inNamespace(
      router,
      [iptables.path, '-t', 'nat', '-A', 'POSTROUTING', '-o', `sk${id}r`, '-j', 'MASQUERADE'],
      iptables.env,
    );
    return machine;
  }

  /** Runs an argv on the machine. The caller's environment is not passed on. */
  spawn(
    argv: readonly string[],
    options: { cwd: string; env: Record<string, string>; input?: string },
  ): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', this.names.site, ...argv], {
      cwd: options.cwd,
      env: options.env,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    this.children.add(child);
    child.once('exit', () => this.children.delete(child));
    child.stdin?.end(options.input ?? '');
    return child;
  }

  /** Ends what runs there and removes both namespaces. */
  remove(): void {
    for (const { pid } of this.children) if (pid !== undefined) process.kill(-pid, 'SIGKILL');
    for (const pid of this.processes()) process.kill(pid, 'SIGKILL');
    for (const ns of Object.values(this.names)) spawnSync('ip', ['netns', 'del', ns]);
  }

  /** Ids of the processes that run on the machine. */
  processes(): number[] {
    const { stdout } = spawnSync('ip', ['netns', 'pids', this.names.site], { encoding: 'utf8' });
    return stdout.split('\n').filter(Boolean).map(Number);
  }

  private get names() {
    return { router: `skr${this.id}`, site: `sks${this.id}` };
  }
}

function ip(...args: string[]): void {
  run(['ip', ...args]);
}

function inNamespace(namespace: string, argv: string[], env: Readonly<Record<string, string>> = {}): void {
  run(['ip', 'netns', 'exec', namespace, ...argv], env);
}

function run(argv: string[], env: Readonly<Record<string, string>> = {}): void {
  const [command = '', ...args] = argv;
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8', env: { ...process.env, ...env } });
  if (status !== 0) throw new Error(`${argv.join(' ')}: ${stderr.trim()}`);
}
