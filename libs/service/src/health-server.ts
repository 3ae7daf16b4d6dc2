import { createServer, type Server } from 'node:http';
import type { Readiness } from './readiness.js';

/** A port that cannot be listened on, said so that a person knows which variable to change. */
export class PortTaken extends Error {
  override readonly name = 'PortTaken';
}

export interface HealthServer {
  /** The port it listens on. */
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Serves `/healthz` (200 while the process lives) and `/readyz` (200 or 503, JSON with the reasons) on loopback only.
 * Plain node:http, so that it answers before the service is put together. Throws `PortTaken`.
 */
export async function serveHealth(readiness: Readiness, port: number): Promise<HealthServer> {
  const server = createServer({ requestTimeout: 5_000, headersTimeout: 5_000 }, (request, response) => {
    const path = request.url?.split('?')[0] ?? '/';
    const answer = healthAnswer(readiness, path);
    response.writeHead(answer.status, { 'content-type': 'application/json', connection: 'close' });
    response.end(`${JSON.stringify(answer.body)}\n`);
  });
  server.maxConnections = 64;
  await listening(server, port);
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The answer of either path, also for a service that serves them on a port of its own. */
export function healthAnswer(readiness: Readiness, path: string): { status: number; body: object } {
  if (path === '/healthz') return { status: 200, body: { alive: true } };
  if (path !== '/readyz') return { status: 404, body: { error: 'only /healthz and /readyz' } };
  const report = readiness.report();
  return { status: report.ready ? 200 : 503, body: report };
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => reject(portTaken(`SKERRY_HTTP_PORT: port ${port}`, cause)));
    server.listen(port, '127.0.0.1', () => {
      server.removeAllListeners('error');
      resolve();
    });
  });
}

/** What to tell of an address that cannot be listened on: `PortTaken` when another has it, else the error itself. */
export function portTaken(address: string, cause: unknown): unknown {
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined;
  if (code !== 'EADDRINUSE' && code !== 'EACCES' && code !== 'EADDRNOTAVAIL') return cause;
  const text = `${address} cannot be used (${code}): end what listens there, or choose another port`;
  return new PortTaken(text, { cause });
}
