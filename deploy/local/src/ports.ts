import { createServer } from 'node:net';

/** The first of the ports a local cloud takes: api, hub for clients, hub for sites, hub's monitoring, join endpoint. */
export const FIRST_PORT = 7_420;

/** A port that is free now on `host`. Another process may take it before it is used. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, host, resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (address === null || typeof address === 'string') throw new Error('the system gave no port');
  return address.port;
}

/** Several different free ports. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await freePort());
  return [...ports];
}

/** True when nothing listens on the port. */
export async function isFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}

/** True when this machine can listen on the address. */
export async function isOwnAddress(host: string): Promise<boolean> {
  return freePort(host).then(
    () => true,
    () => false,
  );
}
