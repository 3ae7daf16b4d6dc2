import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';

/** The first of the ports a local cloud takes: api, hub for clients, hub for sites, hub's monitoring, join endpoint. */
export const FIRST_PORT = 7_420;

/**
 * Below what Linux gives to outgoing connections, which could take a port between now and its use, and below the replicas'.
 * Above 10080, which `fetch` and browsers refuse to connect to (https://fetch.spec.whatwg.org/#port-blocking).
 */
const RANGE = { from: 10_081, to: 20_000 };

/** What a port was given out for listens on it by then. */
const CLAIMED_MS = 60_000;

/** A port that is free now on `host`, and that no process of this machine gets from here for the next minute. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (;;) {
    const port = randomInt(RANGE.from, RANGE.to);
    if ((await isFree(port, host)) && (await claims(port))) return port;
  }
}

/**
 * Says to other processes that a port is given out though nothing listens on it yet: clouds that start side by side would be given
 * the same. By a UDP socket of the same number, which is in nobody's way and ends with this process.
 */
async function claims(port: number): Promise<boolean> {
  const socket = createSocket('udp4');
  return new Promise((resolve) => {
    socket.once('error', () => {
      socket.close();
      resolve(false);
    });
    socket.bind({ port, address: '127.0.0.1', exclusive: true }, () => {
      socket.unref();
      setTimeout(() => socket.close(), CLAIMED_MS).unref();
      resolve(true);
    });
  });
}

/** Several different free ports, none of `promised`: ports that something will listen on that has not started yet. */
export async function freePorts(count: number, promised: readonly number[] = []): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = await freePort();
    if (!promised.includes(port)) ports.add(port);
  }
  return [...ports];
}

/** True when nothing listens on the port. Rejects when `host` is no address of this machine. */
export async function isFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' || error.code === 'EACCES' ? resolve(false) : reject(error),
    );
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}

/** Whether something accepts a connection at `host:port` within `timeoutMs`. */
export async function accepts(address: string, timeoutMs: number): Promise<boolean> {
  const colon = address.lastIndexOf(':');
  const [host, port] = [address.slice(0, colon), Number(address.slice(colon + 1))];
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (accepted: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(accepted);
    };
    const timer = setTimeout(() => end(false), timeoutMs);
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}

/** True when this machine can listen on the address. */
export async function isOwnAddress(host: string): Promise<boolean> {
  return freePort(host).then(
    () => true,
    () => false,
  );
}
