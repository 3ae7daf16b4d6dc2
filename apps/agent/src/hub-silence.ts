import { performance } from 'node:perf_hooks';
import { CUT_OFF_MS, mayOwn, type Grant } from '@skerry/domain';
import { z } from 'zod';
import { readJson, writeAtomic } from './files/atomic-file.js';
import { bootId } from './process/process-identity.js';

const LOOK_MS = 500;

/** What this node knows of the hub, by its monotonic clock. */
export interface HubView {
  /** ms since the hub was heard, or since this agent began. */
  readonly silentMs: number;
  /** Whether the site's lease covers what may run at one site only, of an assignment that knows of so many losses. */
  covers(losses: number): boolean;
}

/** A lease as it is written down: it outlives the agent, not the machine's boot. */
const keptSchema = z.strictObject({ bootId: z.string(), sentAtMs: z.number(), losses: z.number() });

/**
 * Measures for how long the hub was not heard, from the agent's start on, and keeps the newest lease of the site
 * (`liveness/lease.ts` of the domain).
 */
export class HubSilence implements HubView {
  private heardAt = performance.now();
  private grant: Grant | undefined;
  private known = 0;
  private timer: NodeJS.Timeout | undefined;
  private writing = false;
  private looked: () => void = () => undefined;
  private returned: () => void = () => undefined;

  private constructor(private readonly path: string | undefined) {}

  /** With the lease that an earlier agent wrote to `path`, unless the machine was started since. */
  static async open(path?: string): Promise<HubSilence> {
    const silence = new HubSilence(path);
    const kept = path === undefined ? undefined : await readJson(path).catch(() => undefined);
    const parsed = keptSchema.safeParse(kept);
    if (parsed.success && parsed.data.bootId === bootId()) {
      const { sentAtMs, losses } = parsed.data;
      silence.grant = { sentAtMs: sentAtMs - sinceBoot(), losses };
      silence.known = losses;
    }
    return silence;
  }

  /** Calls `looked` twice a second and with each word of the hub, and `returned` when the site was lost and is heard again. */
  start(looked: () => void, returned: () => void = () => undefined): void {
    this.looked = looked;
    this.returned = returned;
    this.timer = setInterval(looked, LOOK_MS).unref();
  }

  /** The hub answered what was sent at `at`, by the monotonic clock, and gave a lease, or not. */
  heard(at = performance.now(), grant?: Grant, keep = false): void {
    this.heardAt = Math.max(this.heardAt, at);
    const before = this.known;
    if (grant !== undefined && grant.sentAtMs >= (this.grant?.sentAtMs ?? Number.NEGATIVE_INFINITY)) {
      this.grant = grant;
      if (keep) void this.write(grant);
    }
    this.known = Math.max(before, grant?.losses ?? 0);
    this.looked();
    if (this.known > before) this.returned();
  }

  get silentMs(): number {
    return performance.now() - this.heardAt;
  }

  /** The newest lease. */
  get lease(): Grant | undefined {
    return this.grant;
  }

  /** How often the site was lost, as far as the hub has said. */
  get losses(): number {
    return this.known;
  }

  /** Writes the newest lease down: the next agent goes by it. */
  async keep(): Promise<void> {
    if (this.grant !== undefined) await this.write(this.grant);
  }

  covers(losses: number): boolean {
    return mayOwn(performance.now(), this.grant, losses);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async write({ sentAtMs, losses }: Grant): Promise<void> {
    if (this.path === undefined || this.writing) return;
    this.writing = true;
    const kept = { bootId: bootId(), sentAtMs: sentAtMs + sinceBoot(), losses };
    // Not durable: it means nothing after a crash of the machine. Not written, the next agent waits for a lease of its own.
    await writeAtomic(this.path, JSON.stringify(kept), { durable: false }).catch(() => undefined);
    this.writing = false;
  }
}

/** Whether something that may not run without the hub rests: it may be replaced elsewhere by now. */
export function restsWithout(
  hub: HubView,
  of: {
    single: boolean;
    losses?: number | undefined;
    orphan: 'keep' | 'stop';
    stopAfterMs?: number | undefined;
  },
): boolean {
  if (of.single) return !hub.covers(of.losses ?? 0);
  return of.orphan === 'stop' && hub.silentMs > (of.stopAfterMs ?? CUT_OFF_MS);
}

/** What this process's monotonic clock has to be added to, so that it counts from the machine's start. */
function sinceBoot(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000 - performance.now();
}
