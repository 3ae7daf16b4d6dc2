import { Injectable } from '@nestjs/common';
import { type Status, statusSchema } from '@skerry/contracts';

/** Changes of the read model on their way to who watches. Nothing is parsed while nobody does. */
@Injectable()
export class LiveStatusStore {
  private readonly watchers = new Set<(status: Status) => void>();

  take(read: () => unknown): void {
    if (this.watchers.size === 0) return;
    const parsed = statusSchema.safeParse(read());
    if (!parsed.success) return;
    for (const watcher of this.watchers) watcher(parsed.data);
  }

  /** Calls `watcher` with every change from now on; returns how to stop. */
  watch(watcher: (status: Status) => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }
}
