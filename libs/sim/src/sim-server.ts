import { MemoryServer } from '@skerry/bus';
import { answerJetStreamApi } from './jetstream-api.js';
import type { SimProcess } from './sim-process.js';

/** A nats-server: its streams outlive it, since they are on its disk; who is connected does not. */
export class SimServer {
  readonly memory: MemoryServer;
  private isUp = true;
  private readonly listeners = new Set<() => void>();

  constructor(readonly process: SimProcess) {
    this.memory = new MemoryServer(process, { unsyncedMs: 1_000 });
    answerJetStreamApi(this.memory);
  }

  get up(): boolean {
    return this.isUp;
  }

  /** Called when it goes down, so that its connections break. */
  onDown(listener: () => void): void {
    this.listeners.add(listener);
  }

  /** Ends it; `losingMs` of what it has stored last is not on its disk. */
  down(losingMs = 0): void {
    this.isUp = false;
    for (const tell of this.listeners) tell();
    if (losingMs > 0) this.memory.rewind(losingMs);
  }

  start(): void {
    this.isUp = true;
  }
}
