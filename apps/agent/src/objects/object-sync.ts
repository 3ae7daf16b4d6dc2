import type { Bus, Subscription } from '@skerry/bus';
import { chunksWantedSchema, LIMITS, parseAcross, SITE, workloadKey } from '@skerry/contracts';
import { HubHearing } from '../datasets/hub-hearing.js';
import { reason, type Log } from '../log.js';
import { ObjectLine } from './object-line.js';
import type { Objects } from './objects.js';
import type { Fetcher } from './read-object.js';

export interface ObjectSyncOptions {
  objects: Objects;
  /** ms since the hub was heard. */
  silentMs: () => number;
  log: Log;
}

/** Keeps the objects of this node in step with the hub: for each dataset what goes up and what comes down. */
export class ObjectSync implements Fetcher {
  private readonly lines = new Map<string, ObjectLine>();
  private heard: Subscription | undefined;
  private readonly hearing: HubHearing;
  private stopConnection: () => void = () => undefined;

  constructor(
    private readonly bus: Bus,
    private readonly options: ObjectSyncOptions,
  ) {
    const { silentMs } = options;
    this.hearing = new HubHearing(bus, { silentMs, turned: (silent) => this.turned(silent) });
  }

  start(): void {
    const { objects } = this.options;
    for (const dataset of objects.datasets()) this.lineOf(dataset)?.changed(objects.keysOf(dataset));
    objects.onNews((dataset, keys) => this.changed(dataset, keys));
    objects.use(this);
    this.heard = this.bus.listen(SITE.chunksWanted, (m) => this.bring(m.json()));
    this.hearing.start();
    this.stopConnection = this.bus.onConnection((connected) => this.connection(connected));
  }

  async stop(): Promise<void> {
    this.hearing.stop();
    this.stopConnection();
    this.options.objects.onNews(() => undefined);
    await this.heard?.drain();
    for (const line of this.lines.values()) await line.stop();
    this.lines.clear();
  }

  want(dataset: string, key: string): void {
    this.lineOf(dataset)?.want(key);
  }

  lost(dataset: string): void {
    this.lineOf(dataset)?.lost();
  }

  reachable(): boolean {
    return !this.hearing.silent && this.bus.connected;
  }

  private changed(dataset: string, keys: readonly string[]): void {
    const line = this.lineOf(dataset);
    if (line === undefined) return;
    // Another rule may ask for what was left alone.
    line.changed(keys.length === 0 ? this.options.objects.keysOf(dataset) : keys);
  }

  private bring(body: unknown): void {
    const parsed = parseAcross(chunksWantedSchema, body);
    if (!parsed.ok) return this.options.log.warn('wanted chunks that are none');
    const { project, name, incarnation, chunks } = parsed.value;
    const key = workloadKey(project, name);
    if (this.options.objects.kept(key)?.copy.rule.incarnation === incarnation)
      this.lineOf(key)?.bring(chunks.slice(0, LIMITS.chunksPerMessage));
  }

  /** The line of a dataset as it is now; ends that of one that is no more. */
  private lineOf(dataset: string): ObjectLine | undefined {
    const { objects, log } = this.options;
    const kept = objects.kept(dataset);
    const there = this.lines.get(dataset);
    if (there?.isOf(kept) === true) return there;
    if (there !== undefined) {
      this.lines.delete(dataset);
      there.stop().catch((error: unknown) => log.warn('a line did not end', { reason: reason(error) }));
    }
    if (kept === undefined) return undefined;
    const line = new ObjectLine(this.bus, dataset, kept, { objects, silent: () => this.hearing.silent, log });
    this.lines.set(dataset, line);
    return line;
  }

  private turned(silent: boolean): void {
    for (const line of this.lines.values()) {
      if (silent) line.turnBack();
      else line.goOn();
    }
  }

  private connection(connected: boolean): void {
    for (const line of this.lines.values()) {
      line.turnBack();
      if (connected) line.goOn();
    }
  }
}
