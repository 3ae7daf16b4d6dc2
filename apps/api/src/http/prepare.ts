import { once } from 'node:events';
import { createServer } from 'node:net';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { JsonLog } from '@skerry/service';
import { ProblemFilter } from './problems.js';
import { requestTrace } from './request-trace.js';

/**
 * Sets up the server before it listens: bodies stay bytes (each handler knows what it takes), every answer names its
 * trace, errors are problems. Throws when the address cannot be listened on, with what to do.
 */
export async function prepareHttp(
  app: NestFastifyApplication,
  at: { host: string; port: number; log: JsonLog },
): Promise<void> {
  await requireFree(at);
  const server = app.getHttpAdapter().getInstance();
  server.removeAllContentTypeParsers();
  app.useBodyParser('*', {}, (_request, body, done) => done(null, body));
  server.addHook('onRequest', (request, reply, done) => {
    const trace = requestTrace(request.headers['traceparent']);
    request.trace = trace;
    void reply
      .header('x-trace-id', trace.traceId)
      .header('cache-control', 'no-store')
      .header('x-content-type-options', 'nosniff');
    done();
  });
  app.useGlobalFilters(new ProblemFilter(at.log));
}

async function requireFree({ host, port }: { host: string; port: number }): Promise<void> {
  const probe = createServer();
  try {
    probe.listen(port, host);
    await once(probe, 'listening');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
    throw new Error(
      `SKERRY_API_PORT: ${host}:${port} cannot be listened on (${code}): end what uses it, or choose another port`,
      { cause },
    );
  } finally {
    await new Promise((resolve) => probe.close(resolve));
  }
}
