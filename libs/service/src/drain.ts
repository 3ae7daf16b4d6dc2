import type { INestApplicationContext } from '@nestjs/common';
import type { Bus } from '@skerry/bus';
import type { Roles } from './active-role.js';
import type { BusStrategy } from './bus-strategy.js';
import type { HealthServer } from './health-server.js';
import type { JsonLog } from './json-log.js';
import type { Tracing } from './tracing.js';

export interface Drained {
  strategy: BusStrategy;
  roles: Roles;
  app: INestApplicationContext;
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
  const { strategy, roles, app, bus, tracing, health, log } = service;
  const steps: [string, () => Promise<void>][] = [
    ['finish running handlers', () => strategy.stopTaking()],
    ['give leases back', () => roles.releaseAll()],
    ['close the application', () => app.close()],
    ['close the bus', () => bus.close()],
    ['flush traces', () => tracing.stop()],
    ['close the health port', () => health.close()],
  ];
  for (const [what, step] of steps)
    await step().catch((error: unknown) => log.error(`drain: could not ${what}`, error));
}
