import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { ERROR_STATUS, Refusal, type Ownership } from '@skerry/contracts';
import { readJson, writeAtomic } from '../files/atomic-file.js';
import { reason, type Log } from '../log.js';
import { noSingleton } from './no-singleton.js';

const LOOPBACK = '127.0.0.1';
const HEADERS_BYTES = 8 * 1024;
const ANSWER_MS = 2_000;
/** A file on its way may take so long, and stand still for so long. */
const TRANSFER_MS = 6 * 60 * 60_000;
const IDLE_MS = 60_000;

/** Answers a request that it knows, and says whether it does; `token` is empty when none was given. */
export type FurtherAnswers = (request: IncomingMessage, response: ServerResponse, token: string) => boolean;

/**
 * Answers replicas on loopback: `GET /v1/replica/epoch` with `Authorization: Bearer <SKERRY_AGENT_TOKEN>` gives its
 * `Ownership`; 401 for a token that is not, or no longer, that of a singleton here. Refusals are problem details. Opened when the
 * first replica needs it, and again on the same port by the next agent, since a running replica cannot be told another.
 */
export class ReplicaEndpoint {
  private server: Server | undefined;
  private opening: Promise<string> | undefined;

  private readonly further: FurtherAnswers[] = [];

  constructor(
    private readonly path: string,
    private readonly of: (token: string) => Ownership | undefined,
    private readonly log: Log,
  ) {}

  /** Where replicas ask. */
  async url(): Promise<string> {
    this.opening ??= this.open();
    return await this.opening;
  }

  /** Answers further paths. */
  also(further: FurtherAnswers): void {
    this.further.push(further);
  }

  close(): void {
    this.server?.close();
    this.server?.closeAllConnections();
  }

  private async open(): Promise<string> {
    const known = portIn(await readJson(this.path).catch(() => undefined));
    const server = createServer({ maxHeaderSize: HEADERS_BYTES }, (request, response) =>
      this.answer(request, response),
    );
    server.headersTimeout = ANSWER_MS;
    server.requestTimeout = TRANSFER_MS;
    server.timeout = IDLE_MS;
    // Longer than clients keep a connection that they do not use: who ends it first decides whether the next request fails.
    server.keepAliveTimeout = IDLE_MS;
    this.server = server;
    const port = await listen(server, known ?? 0).catch(async (error: unknown) => {
      this.log.error('the port that replicas ask at is taken: those that run cannot ask any more', {
        port: known,
        reason: reason(error),
      });
      return await listen(server, 0);
    });
    server.unref();
    await writeAtomic(this.path, JSON.stringify({ port }));
    return `http://${LOOPBACK}:${port}`;
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const [, token = ''] = /^Bearer ([\w-]{1,128})$/.exec(request.headers.authorization ?? '') ?? [];
    if (this.further.some((answers) => answers(request, response, token))) return;
    const known = request.method === 'GET' && request.url === '/v1/replica/epoch';
    const ownership = known && token !== '' ? this.of(token) : undefined;
    const refusal = known
      ? noSingleton()
      : new Refusal('not-found', `${request.method ?? ''} is not answered here`);
    const status = ownership === undefined ? ERROR_STATUS[refusal.code] : 200;
    response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
    response.end(JSON.stringify(ownership ?? refusal.problem()));
  }
}

async function listen(server: Server, port: number): Promise<number> {
  return await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, LOOPBACK, () => {
      server.off('error', reject);
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
}

function portIn(value: unknown): number | undefined {
  if (typeof value !== 'object' || value === null || !('port' in value)) return undefined;
  return typeof value.port === 'number' ? value.port : undefined;
}
