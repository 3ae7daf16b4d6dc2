import type { Status } from '@skerry/contracts';
import { isOf, type ReadModel, type ReadModelChange, type StatusPage } from './read-model.js';

/** The read model of one instance, in its memory. */
export class MemoryReadModel implements ReadModel {
  readonly shared = false;
  private readonly statuses = new Map<string, Status>();
  /** Keys in order; made again when one came or went. */
  private order: string[] | undefined;
  private epoch: number | undefined;

  async write(changes: readonly ReadModelChange[]): Promise<void> {
    for (const { key, status } of changes) {
      if ((status === undefined) === this.statuses.has(key)) this.order = undefined;
      if (status === undefined) this.statuses.delete(key);
      else this.statuses.set(key, status);
    }
  }

  async get(key: string): Promise<Status | undefined> {
    return this.statuses.get(key);
  }

  async page({ project, after = '', bytes }: Parameters<ReadModel['page']>[0]): Promise<StatusPage> {
    const items: Status[] = [];
    let left = bytes;
    let last: string | undefined;
    for (const key of await this.keys()) {
      const status = this.statuses.get(key);
      if (key <= after || !isOf(project, key) || status === undefined) continue;
      left -= Buffer.byteLength(JSON.stringify(status));
      if (left < 0 && last !== undefined) return { items, next: last };
      items.push(status);
      last = key;
    }
    return { items };
  }

  async keys(): Promise<string[]> {
    this.order ??= [...this.statuses.keys()].toSorted();
    return this.order;
  }

  async mark(epoch: number): Promise<void> {
    this.epoch = epoch;
  }

  async marked(): Promise<number | undefined> {
    return this.epoch;
  }

  async close(): Promise<void> {
    this.statuses.clear();
  }
}
