import { createServer } from 'node:net';
import { createSocket } from 'node:dgram';
import { randomInt } from 'node:crypto';
import type { Run } from '@skerry/contracts';

/** Tries before it is said that there is no free port. */
const TRIES = 200;

export type PortsFound = { ok: true; ports: Record<string, number> } | { ok: false; reason: string };

/** Finds the ports of one replica: those the workload insists on, else the ones the slot had before, else free ones of the range. */
export async function findPorts(wanted: Run['ports'], search: PortSearch): Promise<PortsFound> {
  const ports: Record<string, number> = {};
  for (const { name, port, protocol } of wanted) {
    if (port !== undefined && !(await isFree(port, protocol))) {
      return { ok: false, reason: `port ${port} ("${name}") is taken by another process` };
    }
    const found = port ?? (await freePort(protocol, search, search.before[name]));
    if (found === undefined) {
      const { from, to } = search.range;
      return { ok: false, reason: `no free ${protocol} port between ${from} and ${to} for "${name}"` };
    }
    search.taken.add(found);
    ports[name] = found;
  }
  return { ok: true, ports };
}

export interface PortSearch {
  range: { from: number; to: number };
  /** What the slot had before, by name. */
  before: Readonly<Record<string, number>>;
  /** Ports that other replicas of this node have or are about to get; those found are added. */
  taken: { has(port: number): boolean; add(port: number): void; delete(port: number): void };
}
type Protocol = Run['ports'][number]['protocol'];

async function freePort(
  protocol: Protocol,
  search: PortSearch,
  before: number | undefined,
): Promise<number | undefined> {
  if (before !== undefined && (await claim(before, protocol, search.taken))) return before;
  const { from, to } = search.range;
  for (let n = 0; n < TRIES; n++) {
    const port = randomInt(from, to + 1);
    if (await claim(port, protocol, search.taken)) return port;
  }
  return undefined;
}

/** Marks a port as taken, unless it is; the mark is there before anybody else can look. */
async function claim(port: number, protocol: Protocol, taken: PortSearch['taken']): Promise<boolean> {
  if (taken.has(port)) return false;
  taken.add(port);
  if (await isFree(port, protocol)) return true;
  taken.delete(port);
  return false;
}

/** Whether nobody listens on this port at any address of the machine. */
export async function isFree(port: number, protocol: Protocol): Promise<boolean> {
  return protocol === 'tcp' ? await isFreeTcp(port) : await isFreeUdp(port);
}

async function isFreeTcp(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

async function isFreeUdp(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => {
      socket.close();
      resolve(false);
    });
    socket.bind({ port, exclusive: true }, () => socket.close(() => resolve(true)));
  });
}
