import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { JsonLog } from '@skerry/service';
import { ProblemFilter } from './problems.js';
import { requestTrace } from './request-trace.js';

/**
 * Sets up the server before it listens: bodies stay bytes (each handler knows what it takes), every answer names its
 * trace, errors are problems.
 */
export function prepareHttp(app: NestFastifyApplication, log: JsonLog): void {
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
  app.useGlobalFilters(new ProblemFilter(log));
}
