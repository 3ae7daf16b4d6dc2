/** A small HTTP service as a document; it answers with its own replica id, so that doubles would show. */
export function httpService(
  name: string,
  options: { replicas?: number; site?: string; residency?: string[]; env?: Record<string, string> } = {},
): unknown {
  const { replicas = 1, site, residency, env = {} } = options;
  return {
    apiVersion: 'skerry/v1',
    kind: 'Workload',
    metadata: { name, project: 'test' },
    spec: {
      run: {
        command: [process.execPath, 'server.mjs'],
        env,
        ports: [{ name: 'http' }],
        files: [{ path: 'server.mjs', content: SERVER }],
        stop: { graceMs: 2_000 },
      },
      resources: { cpuMillicores: 50, memoryMiB: 64 },
      health: { http: { path: '/', port: 'http' }, intervalMs: 200 },
      placement: {
        replicas,
        ...(site === undefined ? {} : { sites: { required: { name: site } } }),
        ...(residency === undefined ? {} : { residency: { allow: residency } }),
      },
    },
  };
}

const SERVER = `
import { createServer } from 'node:http';
const { SKERRY_REPLICA, SKERRY_SITE, HOST, PORT } = process.env;
console.log('started', SKERRY_REPLICA);
const server = createServer((request, response) => response.end(JSON.stringify({ replica: SKERRY_REPLICA, site: SKERRY_SITE, pid: process.pid })));
server.listen(Number(PORT), HOST);
process.on('SIGTERM', () => server.close(() => process.exit(0)));
`;

/** A workload that runs no process. */
export function mockService(
  name: string,
  options: { replicas?: number; cpuMillicores?: number; site?: string } = {},
): unknown {
  const { replicas = 1, cpuMillicores = 1, site } = options;
  return {
    apiVersion: 'skerry/v1',
    kind: 'Workload',
    metadata: { name, project: 'test' },
    spec: {
      run: { driver: 'mock' },
      resources: { cpuMillicores, memoryMiB: 1 },
      placement: { replicas, ...(site === undefined ? {} : { sites: { required: { name: site } } }) },
    },
  };
}
