import { createHash } from 'node:crypto';
import { LIMITS, SITE, type Observed, type Replica } from '@skerry/contracts';
import type { Bus } from '@skerry/bus';
import { reason, type Log } from '../log.js';
import type { Report } from '../replicas/supervisor.js';
import type { Tracing } from '../tracing.js';
import { messageId } from './message-id.js';
import type { ReportCounter } from './report-counter.js';

/** While a workload keeps changing it is reported this often. */
const COALESCE_MS = 50;
/** A first change waits this long for what follows at once: what starts at once is reported once, as running, on a busy machine too. */
const LINGER_MS = 40;
/** Pause before a report is tried again that the outbox did not take. */
const RETRY_MS = 500;
/** Room left in a message for its headers. */
const HEADERS_BYTES = 16 * 1024;

export interface ReporterOptions {
  report: (key: string) => Report | undefined;
  traceOf: (key: string) => string | undefined;
  /** Where a report is published; undefined: nowhere, for now. Default: the outbox. */
  subjectOf?: (report: Report) => string | undefined;
  /** How often the site was lost, as far as is known: said with each report. Default 0. */
  losses?: () => number;
  /** What reports are numbered by. */
  counter: Pick<ReportCounter, 'next'>;
  tracing: Tracing;
  log: Log;
}

/**
 * Puts what there is to report into the outbox: the newest of each workload, once for each change. What the outbox
 * does not take (no server yet, its disk full) is tried again; what is reported then is what is true then.
 */
export class Reporter {
  private bus: Bus | undefined;
  private closed = false;
  private readonly waiting = new Map<string, NodeJS.Timeout>();
  private readonly dirty = new Set<string>();
  private readonly sending = new Set<string>();
  private readonly sent = new Map<string, string>();
  /** Of what is being sent: to be said once more after it. */
  private readonly repeated = new Set<string>();
  private newest = 0;
  /** Rises whenever everything is to be sent once more: what was on its way then counts for nothing. */
  private round = 0;
  private reported: (report: Report) => void = () => undefined;
  private failing: { reason: string; since: number } | undefined;
  private unlisten: () => void = () => undefined;

  constructor(private readonly options: ReporterOptions) {}

  /** Called with each report that was put into the outbox. */
  onReported(listener: (report: Report) => void): void {
    this.reported = listener;
  }

  /** Something about this workload may have changed. */
  changed(key: string): void {
    if (this.closed) return;
    this.dirty.add(key);
    if (!this.waiting.has(key)) this.soon(key, LINGER_MS);
  }

  /** Reports it once more although nothing has changed: the hub does not know what it was told. */
  again(key: string): void {
    this.sent.delete(key);
    // What is on its way may have been heard already, before it was asked for.
    if (this.sending.has(key)) this.repeated.add(key);
    this.changed(key);
  }

  /** Reports everything again that says something else by now: how often the site was lost, for one. */
  all(): void {
    // What is being sent now may have been put together before.
    for (const key of new Set([...this.sent.keys(), ...this.sending])) this.changed(key);
  }

  /** Whether the outbox has all that there was to report. */
  get idle(): boolean {
    return this.dirty.size === 0 && this.sending.size === 0;
  }

  /** Sequence of the newest report in the stream that it went to. */
  get lastSequence(): number {
    return this.newest;
  }

  /** Why the outbox takes no reports, as long as that is so. */
  get trouble(): string | undefined {
    return this.failing && `its server takes no reports: ${this.failing.reason}`;
  }

  /** How long the outbox has taken no reports, ms; 0 when it does. */
  get failingForMs(): number {
    return this.failing ? performance.now() - this.failing.since : 0;
  }

  /** Sends to this server from now on: everything once, since nobody knows what came through before. */
  use(bus: Bus, keys: readonly string[]): void {
    this.bus = bus;
    this.closed = false;
    this.newest = 0;
    this.round += 1;
    this.sent.clear();
    this.unlisten();
    this.unlisten = bus.onConnection((connected) => connected && this.anew());
    for (const key of keys) this.changed(key);
  }

  /** Sends nothing from now on, and waits for nothing. */
  close(): void {
    this.bus = undefined;
    this.closed = true;
    this.unlisten();
    this.dirty.clear();
    for (const timer of this.waiting.values()) clearTimeout(timer);
    this.waiting.clear();
  }

  /** The server was away, and may have lost what it took last: it gets everything again. */
  private anew(): void {
    const keys = new Set([...this.sent.keys(), ...this.sending]);
    this.newest = 0;
    this.round += 1;
    this.sent.clear();
    for (const key of keys) this.changed(key);
  }

  private soon(key: string, afterMs: number): void {
    const timer = setTimeout(() => {
      this.waiting.delete(key);
      void this.flush(key);
    }, afterMs).unref();
    this.waiting.set(key, timer);
  }

  private async flush(key: string): Promise<void> {
    const { bus } = this;
    if (bus === undefined || this.sending.has(key) || !this.dirty.delete(key)) return;
    this.sending.add(key);
    let pauseMs = COALESCE_MS;
    try {
      await this.send(bus, key);
      this.failing = undefined;
    } catch (error) {
      if (!this.closed) this.dirty.add(key);
      pauseMs = RETRY_MS;
      if (!this.failing) this.options.log.warn('the outbox takes no reports', { reason: reason(error) });
      this.failing = { reason: reason(error), since: this.failing?.since ?? performance.now() };
    } finally {
      this.sending.delete(key);
      if (this.repeated.delete(key)) this.sent.delete(key);
      // Quiet for a while even when nothing is waiting: the next change is then part of a burst.
      if (this.bus !== undefined && !this.waiting.has(key)) this.soon(key, pauseMs);
    }
  }

  private async send(bus: Bus, key: string): Promise<void> {
    const { round } = this;
    const told = this.options.report(key);
    if (told === undefined) return;
    const losses = this.options.losses?.() ?? 0;
    const report: Report = losses === 0 ? told : { ...told, losses };
    const digest = createHash('sha1').update(JSON.stringify(report)).digest('base64');
    if (this.sent.get(key) === digest) return;
    const observed: Observed = {
      ...report,
      reportedAt: new Date().toISOString(),
      report: await this.options.counter.next(),
    };
    const { subjectOf = outbox } = this.options;
    const subject = subjectOf(report);
    if (subject === undefined) return;
    await this.options.tracing.within(this.options.traceOf(key), async () => {
      const { sequence } = await bus.publish(subject, fitting(observed), { messageId: messageId() });
      if (round === this.round) this.newest = Math.max(this.newest, sequence);
    });
    if (round !== this.round) return;
    this.sent.set(key, digest);
    this.reported(report);
  }
}

const outbox = ({ project, name }: Report) => SITE.outboxWorkload(project, name);

/** The report as bytes; one that is too large for a message goes without what can be done without. */
function fitting(observed: Observed): Uint8Array {
  const limit = LIMITS.messageBytes - HEADERS_BYTES;
  const shorten: ((r: Replica) => Replica)[] = [
    (r) => r,
    ({ message: _message, ...rest }) => rest,
    ({ message: _message, ...rest }) => ({ ...rest, addresses: {} }),
  ];
  const bodies = shorten.map(
    (s) => () => Buffer.from(JSON.stringify({ ...observed, replicas: observed.replicas.map(s) })),
  );
  let last = Buffer.alloc(0);
  for (const body of bodies) {
    last = body();
    if (last.length <= limit) return last;
  }
  return last;
}
