import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import type { INestApplicationContext, Type } from '@nestjs/common';
import type { Bus } from '@skerry/bus';
import { Roles } from './active-role.js';
import { BusStrategy } from './bus-strategy.js';
import { BASE_VARIABLES, type BaseConfig, type ConfigOf, type Variables } from './config.js';
import { connectToHub } from './connect.js';
import { drain } from './drain.js';
import { serveHealth } from './health-server.js';
import { JsonLog } from './json-log.js';
import { assemble, type HttpAddress } from './assemble.js';
import { ensureOwned, waitForNeeds, type Needs } from './owned.js';
import { Readiness } from './readiness.js';
import { answerRedelivery } from './redelivery.js';
import { startTracing } from './tracing.js';

/** What a service's own code gets as `CONFIG`. */
export type ServiceConfig<V extends Variables> = ConfigOf<V> & BaseConfig & { readonly instance: string };

/** A service, whole: what it is called, told, made of, and needs. */
export interface ServiceDefinition<V extends Variables> {
  /** The app's name: its user on the bus, its durables, its dead letters, its traces. */
  name: string;
  /** Its own variables beside `BASE_VARIABLES`. */
  variables: V;
  /** The root module; its controllers are the table of what the service hears. */
  module: Type;
  /** What other apps own and this one waits for. */
  needs?: Needs;
  /** Serves HTTP controllers on this address (api); `/healthz` and `/readyz` are served there too. */
  http?: (config: ServiceConfig<V>) => HttpAddress;
}

/** A service that runs in this process. */
export interface RunningService {
  readonly readiness: Readiness;
  /** Port of health and readiness on loopback. */
  readonly healthPort: number;
  readonly app: INestApplicationContext;
  /** Takes nothing new, lets running handlers finish, gives leases back, closes, flushes traces. Safe to call twice. */
  stop(): Promise<void>;
}

export interface StartOptions {
  /** In place of a connection to the hub: for tests and simulations. Closed by `stop`. */
  bus?: Bus;
  log?: JsonLog;
  /** Ends waiting for the hub and for streams of others. */
  until?: AbortSignal;
}

/** All variables of a service: its own and those of every service. */
export function allVariables<V extends Variables>(
  definition: ServiceDefinition<V>,
): typeof BASE_VARIABLES & V {
  return { ...BASE_VARIABLES, ...definition.variables };
}

/** Starts a service in this process; resolves when it hears everything. `runService` is this with environment, signals and exit codes. */
export async function startService<V extends Variables>(
  definition: ServiceDefinition<V>,
  parsed: ConfigOf<V> & BaseConfig,
  options: StartOptions = {},
): Promise<RunningService> {
  const { name } = definition;
  const instance = parsed.instance ?? randomBytes(4).toString('hex');
  const config = { ...parsed, instance };
  const log = options.log ?? new JsonLog(name, instance, config.logLevel);
  const readiness = new Readiness(name, instance);
  const until = options.until ?? new AbortController().signal;
  let state: 'starting' | 'running' | 'draining' = 'starting';
  readiness.gate(() => (state === 'running' ? undefined : state));
  // What was begun is ended when a later step fails: the process, or a test, goes on without it.
  const begun: (() => Promise<void>)[] = [];
  try {
    const health = await serveHealth(readiness, config.healthPort);
    begun.push(() => health.close());
    const tracing = await startTracing({ app: name, instance, endpoint: config.otlpEndpoint });
    begun.push(() => tracing.stop());
    const bus = options.bus ?? (await connectToHub(name, config, log));
    begun.push(() => bus.close());
    readiness.gate(() => (bus.connected ? undefined : 'not connected to the bus'));
    await prepare(bus, definition, readiness, { log, until });
    const strategy = new BusStrategy(name, bus, readiness);
    const roles = new Roles({ bus, holder: `${name}-${instance}`, log }, readiness);
    begun.push(() => roles.releaseAll());
    const address = definition.http?.(config);
    const parts = { module: definition.module, bus, config, readiness, roles, log, strategy };
    const assembled = await assemble({ ...parts, ...(address ? { address } : {}) });
    roles.begin(async (withinMs) => await strategy.upToNow(withinMs));
    answerRedelivery(bus, name, strategy);
    state = 'running';
    log.log('started', { healthPort: health.port });
    let stopped: Promise<void> | undefined;
    const stop = () => {
      state = 'draining';
      stopped ??= drain({ strategy, roles, assembled, bus, tracing, health, log });
      return stopped;
    };
    return { readiness, healthPort: health.port, app: assembled.app, stop };
  } catch (error) {
    for (const undo of begun.toReversed()) await undo().catch(() => undefined);
    throw error;
  }
}

/** Streams of its own made, those of others there. */
async function prepare<V extends Variables>(
  bus: Bus,
  { name, needs }: ServiceDefinition<V>,
  readiness: Readiness,
  at: { log: JsonLog; until: AbortSignal },
): Promise<void> {
  let waiting: string | undefined;
  readiness.gate(() => waiting);
  await ensureOwned(bus, name, { ...at, report: (problem) => (waiting = problem) });
  if (!needs) return;
  const report = (names: string[]) => {
    waiting = names.length === 0 ? undefined : `waiting for ${names.join(', ')}`;
  };
  await waitForNeeds(bus, needs, report, at.until);
}
