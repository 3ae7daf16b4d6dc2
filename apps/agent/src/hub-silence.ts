import { CUT_OFF_MS, mayOwn, OWNERSHIP_ENDED_AFTER_MS, SINGLETON_LEASE, type Grant } from '@skerry/domain';
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

/** A lease as it is written down: it outlives the agent, not the machine's boot. Times count from that. */
const keptSchema = z.strictObject({
  bootId: z.string(),
  sentAtMs: z.number(),
  losses: z.number(),
  /** Since when the hub's term is known here, while nothing may own for that. */
  termAtMs: z.number().optional(),
});

/**
 * Measures for how long the hub was not heard, from the agent's start on, and keeps the newest lease of the site
 * (`liveness/lease.ts` of the domain).
 */
export class HubSilence implements HubView {
  private heardAt = performance.now();
  private grant: Grant | undefined;
  private known = 0;
  /** The hub's newest term that is known here, from 0 on, and when it was first heard in that. */
  private term = 0;
  private termAt: number | undefined;
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
    if (parsed.success) silence.recall(parsed.data);
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
    if (grant !== undefined && termOf(grant.losses) > this.term) {
      this.term = termOf(grant.losses);
      this.termAt = performance.now();
    }
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
    return !this.isNewTerm && mayOwn(performance.now(), this.grant, losses);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /**
   * Whether the hub was restored so lately that another site may own what this one is asked to: the backup does not know to
   * whom it went since. Whoever had a lease of the hub before has none any more when this is over.
   */
  private get isNewTerm(): boolean {
    return this.termAt !== undefined && performance.now() < this.termAt + OWNERSHIP_ENDED_AFTER_MS;
  }

  private recall({ bootId: boot, sentAtMs, losses, termAtMs }: z.infer<typeof keptSchema>): void {
    this.term = termOf(losses);
    if (boot === bootId()) {
      this.known = losses;
      this.grant = { sentAtMs: sentAtMs - sinceBoot(), losses };
      if (termAtMs !== undefined) this.termAt = termAtMs - sinceBoot();
    } else if (termAtMs !== undefined) this.termAt = performance.now();
  }

  private async write({ sentAtMs, losses }: Grant): Promise<void> {
    if (this.path === undefined || this.writing) return;
    this.writing = true;
    const term = this.isNewTerm && this.termAt !== undefined ? { termAtMs: this.termAt + sinceBoot() } : {};
    const kept = { bootId: bootId(), sentAtMs: sentAtMs + sinceBoot(), losses, ...term };
    // Not durable: it means nothing after a crash of the machine. Not written, the next agent waits for a lease of its own.
    await writeAtomic(this.path, JSON.stringify(kept), { durable: false }).catch(() => undefined);
    this.writing = false;
  }
}

/** Which term of the hub losses were counted in, from 0 on. */
function termOf(losses: number): number {
  return Math.floor(losses / SINGLETON_LEASE.perTerm);
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
