import { type ServiceConfig, variable, wholeNumberOr } from '@skerry/service';
import { z } from 'zod';

const hostSchema = z.string().regex(/^[-A-Za-z0-9.:]{1,253}$/, 'a host name or an IP address');

/** What api is told beside what every service is told. */
export const API_VARIABLES = {
  /** Where the HTTP api listens; loopback unless said otherwise. */
  apiHost: variable('SKERRY_API_HOST', hostSchema.default('127.0.0.1')),
  apiPort: variable('SKERRY_API_PORT', wholeNumberOr(7420, 0, 65_535)),
  /** Host at which new machines reach the join endpoint. Absent: it opens when `site add --address` asks for it. */
  joinHost: variable('SKERRY_JOIN_HOST', hostSchema.optional()),
  joinPort: variable('SKERRY_JOIN_PORT', wholeNumberOr(7421, 0, 65_535)),
  /** Folder with `join.crt` and `join.key` (or `hub.crt` and `hub.key`): without it nothing can join. */
  tlsDir: variable('SKERRY_TLS_DIR', z.string().optional()),
  /** The agent's bundle, served to new machines. */
  agentBundle: variable('SKERRY_AGENT_BUNDLE', z.string().optional()),
  /** The nats-server binary, served to new machines of the same platform. */
  natsServer: variable('NATS_SERVER', z.string().optional()),
} as const;
export type ApiConfig = ServiceConfig<typeof API_VARIABLES>;
