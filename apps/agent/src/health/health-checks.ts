import type { Health } from '@skerry/contracts';
import { Limiter } from '../files/limiter.js';
import { probe, type Probed, type ProbeTarget } from './probes.js';

/** Probes at once over all replicas; more wait for their turn. */
const PROBES_AT_ONCE = 32;

export interface Watched {
  health: Health;
  target: ProbeTarget;
  /** Called for each change: the first success, then `failures` in a row, then a success again. */
  onChange: (probed: Probed) => void;
}

interface Check extends Watched {
  timer: NodeJS.Timeout | undefined;
  failed: number;
  /** The last answer that counted. */
  healthy: boolean | undefined;
}

/** Looks at the health of replicas, each in its own rhythm. */
export class HealthChecks {
  private readonly checks = new Map<string, Check>();
  private readonly limiter = new Limiter(PROBES_AT_ONCE);

  /** Begins to look at a replica; replaces an earlier look at the same id. `healthy`: what is believed of it. */
  watch(id: string, watched: Watched, healthy?: boolean): void {
    this.forget(id);
    const check: Check = { ...watched, timer: undefined, failed: 0, healthy };
    this.checks.set(id, check);
    this.later(id, check, watched.health.initialDelayMs);
  }

  forget(id: string): void {
    clearTimeout(this.checks.get(id)?.timer);
    this.checks.delete(id);
  }

  close(): void {
    for (const id of this.checks.keys()) this.forget(id);
  }

  private later(id: string, check: Check, afterMs: number): void {
    check.timer = setTimeout(() => void this.look(id, check), afterMs).unref();
  }

  private async look(id: string, check: Check): Promise<void> {
    const probed = await this.limiter.run(async () => await probe(check.health, check.target));
    if (this.checks.get(id) !== check) return;
    this.count(check, probed);
    this.later(id, check, this.pause(check));
  }

  /** Until it is healthy for the first time it is looked at more often: a start should not wait for a slow rhythm. */
  private pause({ healthy, health }: Check): number {
    return healthy === undefined ? Math.min(health.intervalMs, 250) : health.intervalMs;
  }

  private count(check: Check, probed: Probed): void {
    check.failed = probed.healthy ? 0 : check.failed + 1;
    const counts = probed.healthy || (check.healthy === true && check.failed >= check.health.failures);
    if (!counts || check.healthy === probed.healthy) return;
    check.healthy = probed.healthy;
    check.onChange(probed);
  }
}
