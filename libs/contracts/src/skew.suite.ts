import type { z } from 'zod';
import type { CATALOG, CatalogName } from './catalog.js';
import type { assignmentSchema } from './desired.js';
import type { runSchema } from './workload.js';

const at = '2026-05-01T12:00:00.000Z';
const version = { term: 1, generation: 2, revision: 3 };
const named = { site: 'eu-de', project: 'default', name: 'web' };
const requestId = 'req_0123456789';
const id = 'a1b2c3d4e5f60718';
const account = `A${'B'.repeat(55)}`;
const userKey = `U${'B'.repeat(55)}`;

const run = {
  driver: 'process',
  command: ['node', 'server.mjs'],
  env: { MODE: 'on' },
  workingDir: 'app',
  files: [{ path: 'server.mjs', content: '1', mode: '0600' }],
  ports: [{ name: 'http', protocol: 'tcp', port: 8_080 }],
  stop: { signal: 'SIGTERM', graceMs: 1_000 },
  restart: { policy: 'always', backoffMs: 1_000, maxBackoffMs: 60_000 },
} satisfies z.input<typeof runSchema>;
const resources = {
  cpuMillicores: 500,
  memoryMiB: 256,
  diskMiB: 64,
  gpu: { count: 1, shareMilli: 250, models: ['NVIDIA-A100'] },
};
const timing = { intervalMs: 1_000, timeoutMs: 500, initialDelayMs: 0, failures: 3 };
const update = { maxUnavailable: 1, healthyDeadlineMs: 60_000 };

const assignment = {
  kind: 'Assignment',
  ...named,
  version,
  type: 'service',
  replicas: 2,
  run,
  resources,
  health: { http: { path: '/', port: 'http' }, ...timing },
  update,
  orphan: 'stop',
  orphanStopAfterMs: 60_000,
  data: [{ dataset: 'settings', access: 'read' }],
  losses: 2,
  epoch: 3,
  requestId,
  declared: { rest: '{"labels":{},"placement":{}}', warrant: 'w'.repeat(43) },
} satisfies z.input<typeof assignmentSchema>;

const room = { cpuMillicores: 4_000, memoryMiB: 8_192, diskMiB: 1_024, gpus: 1, gpuModel: 'NVIDIA-A100' };
const check = { check: 'capacity', ok: false, has: '1', needs: '2', remedy: 'more of it' };

type Examples = { readonly [N in CatalogName]: readonly z.input<(typeof CATALOG)[N]>[] };

/**
 * Examples of every message between the centre and the agents, as this version writes it; together they say every field. A new
 * field goes in here, and tests then hold it against the version released last.
 */
export const CROSSING = {
  Desired: [
    assignment,
    { ...assignment, health: { tcp: { port: 'http' }, ...timing } },
    {
      ...assignment,
      type: 'cron',
      cron: { schedule: '0 * * * *', timeZone: 'UTC', overlap: 'skip' },
      health: { exec: { command: ['true'] }, ...timing },
    },
    { kind: 'Tombstone', ...named, version, removedAt: at, requestId },
    { kind: 'Retirement', site: 'eu-de', generation: 4, at },
    { kind: 'NodeRules', site: 'eu-de', generation: 2, nodes: { n1: 'draining' } },
    {
      kind: 'Access',
      site: 'eu-de',
      generation: 1_777_636_800_000,
      issuedAt: at,
      validUntil: at,
      tokens: [{ id, publicKey: userKey, subject: 'ann', role: 'operator', expiresAt: at }],
      place: {
        name: 'eu-de',
        kind: 'onprem',
        jurisdictions: ['eu'],
        provider: 'own',
        labels: { tier: 'edge' },
      },
      moreQuotas: true,
      quotas: [
        {
          kind: 'Quota',
          project: 'default',
          workloads: 1,
          replicas: 2,
          cpuMillicores: 3,
          memoryMiB: 4,
          gpus: 5,
          budgetPerMonth: 6,
          generation: 7,
          updatedAt: at,
        },
      ],
    },
  ],
  Observed: [
    {
      kind: 'Observed',
      ...named,
      version,
      state: 'refused',
      refusal: check,
      wanted: 1,
      replicas: [
        {
          id: 'web-0',
          slot: 0,
          node: 'n1',
          phase: 'failed',
          version,
          change: requestId,
          pid: 7,
          addresses: { http: '127.0.0.1:80' },
          restarts: 1,
          since: at,
          exitCode: 1,
          message: 'ended',
        },
      ],
      runs: { last: at, next: at },
      losses: 2,
      reportedAt: at,
      report: 9,
    },
  ],
  Node: [
    {
      kind: 'Node',
      site: 'eu-de',
      node: 'n1',
      agentVersion: '1.2.3',
      os: 'linux',
      arch: 'x64',
      allocatable: room,
      drivers: ['process'],
      cgroup: 'v2',
      address: '127.0.0.1',
      bootId: 'b',
      startedAt: at,
      reportedAt: at,
      report: 1,
      phase: 'suspect',
      labels: { rack: 'a' },
    },
  ],
  Heartbeat: [
    {
      kind: 'Heartbeat',
      site: 'eu-de',
      sentAt: at,
      agentVersion: '1.2.3',
      incarnation: 'i',
      nodes: 1,
      standing: 'draining',
      capacity: { shapes: [{ nodes: 1, ...room }], drivers: ['process'] },
      hubRttMs: 3,
      outboxMessages: 0,
      held: 1,
      running: 1,
      troubles: ['the disk is full'],
    },
  ],
  DigestRequest: [
    {
      site: 'eu-de',
      page: 0,
      last: true,
      items: [{ project: 'default', name: 'web', version }],
      lastSequence: 3,
      access: 4,
    },
  ],
  DigestAnswer: [
    { objects: [assignment], traces: { 'default.web': 't' }, unknown: ['default.old'], more: false },
  ],
  IntakeAnswer: [{ ok: true }, { ok: false, code: 'throttled', retryAfterMs: 100, reason: 'too much' }],
  LogRequest: [{ id, project: 'default', name: 'web', tail: 10, follow: true }],
  LogPage: [
    {
      lines: [{ site: 'eu-de', replica: 'web-0', stream: 'stdout', at, line: 'hello' }],
      done: true,
      error: 'gone',
    },
  ],
  JoinRequest: [{ token: 'skj_a_b', userKey, csr: 'pem' }],
  JoinAnswer: [
    {
      site: 'eu-de',
      account,
      userJwt: 'jwt',
      userJwtExpiresAt: at,
      certificate: 'pem',
      ca: 'pem',
      leafUrls: ['tls://hub:7422'],
      renewUrl: 'https://hub:7443',
    },
  ],
  RenewRequest: [{ site: 'eu-de', at, nonce: 'n'.repeat(16), signature: 's', csr: 'pem' }],
} satisfies Partial<Examples>;
