import type { DatasetRecord } from '@skerry/contracts';

/** What of others came before the hub had stored it, and has not come with its place yet. */
export class EarlyWrites {
  /** By who wrote it, the newest. */
  private readonly writes = new Map<string, number>();

  get any(): boolean {
    return this.writes.size > 0;
  }

  came(records: readonly DatasetRecord[]): void {
    for (const { origin, write } of records)
      this.writes.set(origin, Math.max(write, this.writes.get(origin) ?? 0));
  }

  /** These lie in the hub's stream, which has what each of them wrote in its order. */
  placed(records: readonly DatasetRecord[]): void {
    for (const { origin, write } of records)
      if (write >= (this.writes.get(origin) ?? Number.POSITIVE_INFINITY)) this.writes.delete(origin);
  }
}
