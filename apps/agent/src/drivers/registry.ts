import type { DriverName } from '@skerry/contracts';
import type { Driver } from './driver.js';

/** The drivers of this agent, by name. One line each where they are made. */
export class Drivers {
  private readonly byName: Map<DriverName, Driver>;

  constructor(drivers: readonly Driver[]) {
    this.byName = new Map(drivers.map((d) => [d.name, d]));
  }

  all(): Driver[] {
    return [...this.byName.values()];
  }

  names(): DriverName[] {
    return [...this.byName.keys()];
  }

  /** Throws for a driver that is not there: assignments for it are refused before. */
  get(name: DriverName): Driver {
    const driver = this.byName.get(name);
    if (driver === undefined) throw new Error(`this agent has no driver "${name}"`);
    return driver;
  }
}
