import { spawn } from 'node:child_process';
import { get } from 'node:http';
import { connect } from 'node:net';
import type { Health } from '@skerry/contracts';

/** Where a replica is probed. */
export interface ProbeTarget {
  address: string;
  ports: Readonly<Record<string, number>>;
  cwd: string;
  env: Readonly<Record<string, string>>;
}
export type Probed = { healthy: true } | { healthy: false; reason: string };

/** Looks once whether a replica is healthy; answers within the check's `timeoutMs`, and never throws. */
export async function probe(health: Health, target: ProbeTarget): Promise<Probed> {
  if (health.http) return await probeHttp(health.http, target, health.timeoutMs);
  if (health.tcp) return await probeTcp(health.tcp, target, health.timeoutMs);
  if (health.exec) return await probeExec(health.exec.command, target, health.timeoutMs);
  return { healthy: true };
}

async function probeHttp(
  check: { path: string; port: string },
  { address, ports }: ProbeTarget,
  timeoutMs: number,
): Promise<Probed> {
  return await new Promise((resolve) => {
    const end = (probed: Probed) => {
      clearTimeout(timer);
      request.destroy();
      resolve(probed);
    };
    const request = get(
      { host: address, port: ports[check.port], path: check.path, agent: false },
      ({ statusCode = 0 }) => {
        const healthy = statusCode >= 200 && statusCode < 400;
        end(healthy ? { healthy } : { healthy, reason: `http check: status ${statusCode}` });
      },
    );
    // A timer of its own: Node 20 may collect the signal of `AbortSignal.timeout`, and then nothing would end this.
    const timer = setTimeout(
      () => end({ healthy: false, reason: `http check: no answer in ${timeoutMs} ms` }),
      timeoutMs,
    );
    request.on('error', (error) => end({ healthy: false, reason: `http check: ${inWords(error)}` }));
  });
}

async function probeTcp(
  check: { port: string },
  { address, ports }: ProbeTarget,
  timeoutMs: number,
): Promise<Probed> {
  return await new Promise((resolve) => {
    const socket = connect({ host: address, port: ports[check.port] ?? 0 });
    const end = (probed: Probed) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(probed);
    };
    const timer = setTimeout(
      () => end({ healthy: false, reason: `tcp check: no answer in ${timeoutMs} ms` }),
      timeoutMs,
    );
    socket.once('connect', () => end({ healthy: true }));
    socket.once('error', (error) => end({ healthy: false, reason: `tcp check: ${inWords(error)}` }));
  });
}

async function probeExec(
  argv: readonly string[],
  { cwd, env }: ProbeTarget,
  timeoutMs: number,
): Promise<Probed> {
  const [command = '', ...args] = argv;
  return await new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env, stdio: 'ignore', detached: true });
    const end = (probed: Probed) => {
      clearTimeout(timer);
      resolve(probed);
    };
    const timer = setTimeout(() => {
      killGroup(child.pid);
      end({ healthy: false, reason: `exec check: not done in ${timeoutMs} ms` });
    }, timeoutMs);
    child.once('error', (error) => end({ healthy: false, reason: `exec check: ${inWords(error)}` }));
    child.once('exit', (code, signal) =>
      end(
        code === 0
          ? { healthy: true }
          : { healthy: false, reason: `exec check: ${signal ?? `exit code ${code}`}` },
      ),
    );
  });
}

/** A check that started others takes them along. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It ended at this moment.
  }
}

function inWords(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
