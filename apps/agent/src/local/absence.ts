import { readJson, removeDurably, writeAtomic } from '../files/atomic-file.js';
import { reason, type Log } from '../log.js';
import type { Journal } from './journal.js';
import type { ReplicaWatch } from './replica-watch.js';
import { CUT_OFF_MS } from '@skerry/domain';
import { z } from 'zod';

const LOOK_MS = 500;
/** How long after a return it is looked at what became of the replicas. */
const SETTLED_AFTER_MS = 10_000;
const fileSchema = z.strictObject({ since: z.iso.datetime({ precision: 3 }) });

export interface AbsenceOptions {
  /** Where it is kept that the hub is away, for the next agent. */
  path: string;
  /** ms since the hub was heard. */
  silentMs: () => number;
  /** Whether this agent speaks for its site. */
  acting: () => boolean;
  journal: Journal;
  watch: ReplicaWatch;
  log: Log;
}

/** Notes when the hub was not heard any more and when it was again, over restarts of the agent, and what became of the replicas. */
export class Absence {
  private since: string | undefined;
  private timer: NodeJS.Timeout | undefined;
  private settling: NodeJS.Timeout | undefined;

  constructor(private readonly options: AbsenceOptions) {}

  async start(): Promise<void> {
    const parsed = fileSchema.safeParse(await readJson(this.options.path).catch(() => undefined));
    if (parsed.success) {
      this.since = parsed.data.since;
      this.options.watch.begin(Date.now());
    }
    this.timer = setInterval(() => this.look(), LOOK_MS).unref();
  }

  stop(): void {
    clearInterval(this.timer);
    clearTimeout(this.settling);
  }

  /** Since when the hub is away; undefined: it is there. */
  get awaySince(): string | undefined {
    return this.since;
  }

  /** The hub was heard, now or a moment ago. */
  private look(): void {
    const { silentMs, acting } = this.options;
    if (!acting()) return;
    const silent = silentMs();
    if (this.since === undefined && silent > CUT_OFF_MS) this.left(Date.now() - silent);
    else if (this.since !== undefined && silent < LOOK_MS * 2 && silent < this.age())
      this.returned(this.since);
  }

  /** An agent counts the hub as heard at its start: that alone is no return. */
  private age(): number {
    return process.uptime() * 1_000 - LOOK_MS;
  }

  private left(atMs: number): void {
    const since = new Date(atMs).toISOString();
    this.since = since;
    this.keep(async () => await writeAtomic(this.options.path, JSON.stringify({ since })));
    this.options.journal.state({ what: 'cut-off', at: since });
    this.options.watch.begin(atMs);
  }

  private returned(since: string): void {
    const { journal, watch } = this.options;
    this.since = undefined;
    this.keep(async () => await removeDurably(this.options.path));
    const seconds = Math.round((Date.now() - Date.parse(since)) / 1_000);
    watch.end();
    journal.state({ what: 'returned', text: `after ${seconds} s` });
    const before = watch.running();
    clearTimeout(this.settling);
    this.settling = setTimeout(() => {
      journal.state({ what: 'settled', counts: differences(before, watch.running()) });
    }, SETTLED_AFTER_MS).unref();
  }

  private keep(work: () => Promise<void>): void {
    work().catch((error: unknown) => {
      this.options.log.warn('that the hub is away was not kept', { reason: reason(error) });
    });
  }
}

/** Replicas by id with when they were started. */
type Running = ReadonlyMap<string, number>;

function differences(before: Running, after: Running): Record<string, number> {
  let kept = 0;
  for (const [id, startedAt] of before) if (after.get(id) === startedAt) kept++;
  let started = 0;
  for (const [id, startedAt] of after) if (before.get(id) !== startedAt) started++;
  const drained = [...before.keys()].filter((id) => !after.has(id)).length;
  return { kept, started, drained };
}
