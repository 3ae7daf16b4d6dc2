import { connectBus, type Bus } from '@skerry/bus';
import {
  BUCKETS,
  bucketStream,
  bucketSubject,
  observedSchema,
  observedSubject,
  placementSchema,
  STREAMS,
} from '@skerry/contracts';
import { SkerryClient } from '@skerry/client';
import type { LocalCloud } from '@skerry/local';

const EVERY_MS = 100;
const LOOK_MS = 50;
/** Outstanding ones looked at in one go, the oldest first. */
const LOOKED_AT = 16;
const ASK_MS = 1_000;
const PROJECT = 'bench';

/** One apply and what became of it; ms of the monotonic clock. */
export interface Probe {
  name: string;
  askedAt: number;
  admittedAt?: number;
  placedAt?: number;
  runningAt?: number;
  site?: string;
}

/**
 * Applies a small workload ten times a second, whatever the answers take, at whichever instance of the api answers, and
 * looks in the buckets themselves when each is placed and reported running. It looks by connections to each server of the
 * hub, so that the loss of one does not look like a stall.
 */
export class Prober {
  readonly probes: Probe[] = [];
  private readonly outstanding = new Set<Probe>();
  private applying: NodeJS.Timeout | undefined;
  private looking: Promise<void> = Promise.resolve();
  private ended = false;
  private readonly asked: Promise<void>[] = [];

  private constructor(
    private readonly clients: SkerryClient[],
    private readonly buses: Bus[],
    private readonly prefix: string,
  ) {}

  static async start(cloud: LocalCloud, token: string, prefix: string): Promise<Prober> {
    const buses = await Promise.all(
      cloud.hubUrls.map((url) =>
        connectBus({
          servers: [url],
          name: 'prober',
          credsFile: cloud.paths.creds('test-admin'),
          onAlarm: () => undefined,
        }),
      ),
    );
    const clients = cloud.apiUrls.map((url) => new SkerryClient({ url, token, tries: 1 }));
    const prober = new Prober(clients, buses, prefix);
    prober.applying = setInterval(() => prober.asked.push(prober.apply()), EVERY_MS);
    prober.looking = prober.look();
    return prober;
  }

  /** Resolves when everything that was asked for runs; rejects when it does not in time. */
  async settled(withinMs: number): Promise<void> {
    clearInterval(this.applying);
    const deadline = performance.now() + withinMs;
    while (this.outstanding.size > 0) {
      if (performance.now() > deadline) throw new Error(this.missing());
      await pause(LOOK_MS);
    }
    await Promise.all(this.asked);
  }

  async end(): Promise<void> {
    clearInterval(this.applying);
    this.ended = true;
    await this.looking;
    await Promise.all(this.buses.map((bus) => bus.close()));
  }

  /** The longest that one took, of those asked for from `since` on until the stage. */
  longest(since: number, stage: 'admittedAt' | 'placedAt' | 'runningAt'): number {
    const took = this.probes.flatMap((p) =>
      p.askedAt < since ? [] : [(p[stage] ?? Number.NaN) - p.askedAt],
    );
    return Math.max(...took);
  }

  private missing(): string {
    const some = [...this.outstanding].slice(0, 3).map((p) => {
      const stage = p.admittedAt === undefined ? 'asked' : p.placedAt === undefined ? 'admitted' : 'placed';
      return `${p.name} ${stage}${p.site === undefined ? '' : ` at ${p.site}`}`;
    });
    return `${this.outstanding.size} of ${this.probes.length} did not come to run: ${some.join(', ')}`;
  }

  private async apply(): Promise<void> {
    const probe: Probe = { name: `${this.prefix}${this.probes.length}`, askedAt: performance.now() };
    this.probes.push(probe);
    this.outstanding.add(probe);
    const documents = [workload(probe.name)];
    for (let tries = this.probes.length; !this.ended; tries += 1) {
      const client = this.clients[tries % this.clients.length];
      try {
        await client?.apply({ documents }, { requestId: `probe-${this.prefix}-${probe.name}` });
        probe.admittedAt = performance.now();
        return;
      } catch {
        await pause(EVERY_MS); // As a person or a load balancer would: once more, at the next one.
      }
    }
  }

  private async look(): Promise<void> {
    while (!this.ended) {
      const oldest = [...this.outstanding].slice(0, LOOKED_AT);
      await Promise.all(oldest.map((probe) => this.lookAt(probe)));
      await pause(LOOK_MS);
    }
  }

  private async lookAt(probe: Probe): Promise<void> {
    if (probe.placedAt === undefined) {
      const key = bucketSubject(BUCKETS.placements.name, `${PROJECT}.${probe.name}`);
      const value = await this.newest(bucketStream(BUCKETS.placements.name), key);
      const parsed = placementSchema.safeParse(value);
      const site = parsed.success ? parsed.data.shares[0]?.site : undefined;
      if (site === undefined) return;
      probe.placedAt = performance.now();
      probe.site = site;
    }
    const subject = observedSubject(probe.site ?? '', PROJECT, probe.name);
    const report = observedSchema.safeParse(await this.newest(STREAMS.OBSERVED.name, subject));
    if (!report.success || !report.data.replicas.some((r) => r.phase === 'running')) return;
    probe.runningAt = performance.now();
    if (probe.admittedAt !== undefined) this.outstanding.delete(probe);
  }

  /** The newest message of a subject, from the first server that has it. */
  private async newest(stream: string, subject: string): Promise<unknown> {
    const answers = this.buses
      .filter((bus) => bus.connected)
      .map(async (bus) => {
        const ask = `$JS.API.DIRECT.GET.${stream}.${subject}`;
        const message = await bus.request(ask, new Uint8Array(0), { timeoutMs: ASK_MS });
        if (message.data.length === 0) throw new Error('not there yet');
        return message.json();
      });
    return await Promise.any(answers).catch(() => undefined);
  }
}

function workload(name: string): unknown {
  return {
    apiVersion: 'skerry/v1',
    kind: 'Workload',
    metadata: { name, project: PROJECT },
    spec: {
      run: { driver: 'mock' },
      resources: { cpuMillicores: 1, memoryMiB: 1 },
      placement: { replicas: 1 },
    },
  };
}

const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));
