import type { Following, StoredMessage } from '../bus.js';
import type { OnAlarm } from '../alarm.js';
import { Progress } from '../progress.js';
import type { StoreFollowOptions } from '../store.js';
import { matches } from '../subject.js';
import { storedMessage } from './memory-message.js';
import type { MemoryServer } from './memory-server.js';
import type { Lying, MemoryStream } from './memory-stream.js';

/** Follows a stream in memory; goes on behind its position after a cut, and begins again with another stream of the name. */
export class MemoryFollowing implements Following {
  private readonly progress: Progress;
  /** The stream that was followed last; kept while cut off, to tell whether it is still the same. */
  private stream: MemoryStream | undefined;
  /** Begun again, and not all handled yet of what lay there then. */
  private restarting = false;
  private stopHearing: (() => void) | undefined;
  private attachment = 0;
  private ended = false;

  constructor(
    private readonly server: MemoryServer,
    private readonly name: string,
    handler: (m: StoredMessage) => void | Promise<void>,
    private readonly options: StoreFollowOptions,
    onAlarm: OnAlarm,
  ) {
    const { onCaughtUp } = options;
    this.progress = new Progress({ handler, clock: server.clock, onAlarm, onCaughtUp });
  }

  get position(): number {
    return this.progress.position;
  }

  get caughtUp(): Promise<void> {
    return this.progress.caughtUp;
  }

  /** Whether it hears the stream that now has its name. */
  get isAttached(): boolean {
    return this.stopHearing !== undefined && this.server.streams.get(this.name) === this.stream;
  }

  /** Begins, or goes on after `detach`; does nothing while there is no such stream. */
  async attach(): Promise<void> {
    this.detach();
    const stream = this.server.streams.get(this.name);
    if (stream === undefined || this.ended) return;
    const attachment = ++this.attachment;
    await this.progress.idle();
    if (attachment !== this.attachment) return;
    const before = this.stream;
    this.stream = stream;
    if (before !== undefined && before !== stream) {
      this.restarting = true;
      await this.options.onRestart?.();
      this.progress.restart();
    } else if (before === undefined) {
      this.begin(stream);
    }
    if (attachment !== this.attachment) return;
    this.hear(stream);
  }

  /** Hears nothing more until attached again. */
  detach(): void {
    this.attachment++;
    this.stopHearing?.();
    this.stopHearing = undefined;
    this.progress.clear();
  }

  async reached(sequence: number, timeoutMs?: number): Promise<void> {
    const reached = this.progress.reached(sequence, timeoutMs);
    void this.settle();
    await reached;
  }

  async drain(): Promise<void> {
    this.ended = true;
    this.progress.end();
    this.detach();
    await this.progress.idle();
  }

  private begin(stream: MemoryStream): void {
    const { from = 'last' } = this.options;
    if (from === 'new') this.progress.position = stream.lastSequence;
    else if (typeof from === 'number') this.progress.position = from - 1;
  }

  private hear(stream: MemoryStream): void {
    const lying = this.lying(stream);
    this.stopHearing = stream.onStored((m) => this.stored(stream, m));
    this.progress.expect(lying.length, this.restarting ? () => this.restarted() : undefined);
    for (const [i, m] of lying.entries()) this.push(stream, m, lying.length - 1 - i);
    void this.settle();
  }

  private restarted(): void | Promise<void> {
    this.restarting = false;
    return this.options.onRestarted?.();
  }

  private lying(stream: MemoryStream): Lying[] {
    const { from = 'last' } = this.options;
    if ((this.restarting || from === 'last') && this.progress.position === 0) {
      return stream.newestOfEach((subject) => this.wants(subject));
    }
    return [...stream.from(this.progress.position + 1)].filter((m) => this.wants(m.subject));
  }

  private stored(stream: MemoryStream, m: Lying): void {
    const { attachment } = this;
    // Not inside the publisher's own call.
    queueMicrotask(() => {
      if (attachment !== this.attachment) return;
      if (this.wants(m.subject)) this.push(stream, m, 0);
      void this.settle();
    });
  }

  private push(stream: MemoryStream, m: Lying, pending: number): void {
    const headersOnly = this.options.headersOnly === true;
    this.progress.push(storedMessage(stream, m, { deliveries: 1, pending: () => pending, headersOnly }));
  }

  /** When nothing waits to be handled, nothing up to the stream's end is still to come. */
  private async settle(): Promise<void> {
    const { stream, attachment } = this;
    if (stream === undefined || !this.progress.awaited) return;
    const upTo = stream.lastSequence;
    do await this.progress.idle();
    while (this.progress.busy);
    if (attachment === this.attachment) this.progress.settle(upTo);
  }

  private wants(subject: string): boolean {
    return this.options.filters?.some((filter) => matches(filter, subject)) ?? true;
  }
}
