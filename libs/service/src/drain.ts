import type { Bus } from '@skerry/bus';
import type { Roles } from './active-role.js';
import type { Assembled } from './assemble.js';
import type { BusStrategy } from './bus-strategy.js';
import type { HealthServer } from './health-server.js';
import type { JsonLog } from './json-log.js';
import type { Tracing } from './tracing.js';

/** How long clients of the service's own HTTP have to go by themselves, ms. */
const CLIENTS_MS = 2_000;

export interface Drained {
  strategy: BusStrategy;
  roles: Roles;
  assembled: Assembled;
  bus: Bus;
  tracing: Tracing;
  health: HealthServer;
  log: JsonLog;
}

/**
 * Ends a service in the order in which nothing is lost: no new work and running handlers finished, leases given back,
 * follows and the module's own hooks, the bus, the traces. A step that fails is logged and the next one is taken.
 */
export async function drain(service: Drained): Promise<void> {
  const { strategy, roles, assembled, bus, tracing, health, log } = service;
  const steps: [string, () => Promise<void>][] = [
    ['finish running handlers', () => strategy.stopTaking()],
    ['give leases back', () => roles.releaseAll()],
    ['close the application', () => closed(assembled)],
    ['close the bus', () => bus.close()],
    ['flush traces', () => tracing.stop()],
    ['close the health port', () => health.close()],
  ];
  for (const [what, step] of steps)
    await step().catch((error: unknown) => log.error(`drain: could not ${what}`, error));
}

/** A stream that a client listens to would keep the server open for ever. */
async function closed(assembled: Assembled): Promise<void> {
  const timer = setTimeout(() => assembled.cutConnections(), CLIENTS_MS);
  await assembled.app.close().finally(() => clearTimeout(timer));
}
