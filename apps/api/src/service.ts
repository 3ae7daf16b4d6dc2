import { LIMITS } from '@skerry/contracts';
import { JsonLog, type ServiceDefinition } from '@skerry/service';
import { ApiModule } from './api.module.js';
import { API_VARIABLES } from './config.js';
import { prepareHttp } from './http/prepare.js';

/** As JSON, texts are escaped: a body may be this much longer than the documents in it. */
const JSON_OVERHEAD = 2;

/** What api is made of: started by `main.ts`, and in tests on a bus in memory. */
export const apiService: ServiceDefinition<typeof API_VARIABLES> = {
  name: 'api',
  variables: API_VARIABLES,
  module: ApiModule,
  needs: {
    streams: ['CMD', 'EVT', 'DEAD'],
    buckets: [
      'identities',
      'outcomes',
      'siteSpecs',
      'siteStates',
      'nodes',
      'placements',
      'workloads',
      'datasets',
    ],
  },
  http: ({ apiHost, apiPort }) => ({
    host: apiHost,
    port: apiPort,
    fastify: {
      bodyLimit: LIMITS.documentBytes * JSON_OVERHEAD,
      requestTimeout: 30_000,
      connectionTimeout: 0,
      keepAliveTimeout: 30_000,
    },
    prepare: (app) => prepareHttp(app, app.get(JsonLog)),
  }),
};
