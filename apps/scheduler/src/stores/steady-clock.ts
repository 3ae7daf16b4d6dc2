import { Injectable } from '@nestjs/common';

/** The wall clock may be this far from the time that decisions are made by; more than that is followed. */
const APART_MS = 1_000;

/** The clocks of a machine, ms: one that people set, and one that only goes on. */
export interface Clocks {
  wallMs(): number;
  steadyMs(): number;
}
const MACHINE: Clocks = { wallMs: () => Date.now(), steadyMs: () => performance.now() };

/**
 * The time that decisions are made by: ms since the epoch by this machine, counted on by the monotonic clock. It jumps only in
 * `follow`, together with every moment that was noted by it: so what has to have lasted a while has, and who owned a singleton
 * depends on that; and deadlines that others have set by their wall clocks come when they should.
 */
@Injectable()
export class SteadyClock {
  private machine = MACHINE;
  private origin = MACHINE.wallMs() - MACHINE.steadyMs();

  /** By other clocks than this machine's. */
  static by(machine: Clocks): SteadyClock {
    const clock = new SteadyClock();
    clock.machine = machine;
    clock.origin = machine.wallMs() - machine.steadyMs();
    return clock;
  }

  now(): number {
    return Math.round(this.origin + this.machine.steadyMs());
  }

  /**
   * Follows the wall clock when that was set, or the machine was suspended. Returns by how much, for whoever has noted moments
   * by this clock; 0 as nearly always.
   */
  follow(): number {
    const apart = Math.round(this.machine.wallMs() - this.machine.steadyMs() - this.origin);
    if (Math.abs(apart) < APART_MS) return 0;
    this.origin += apart;
    return apart;
  }
}
