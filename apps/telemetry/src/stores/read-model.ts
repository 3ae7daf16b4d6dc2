import type { Status } from '@skerry/contracts';

/** Injection token of the `ReadModel`. */
export const READ_MODEL: unique symbol = Symbol.for('skerry.telemetry.read-model');

export interface StatusPage {
  items: Status[];
  /** Key after which the next page begins; absent on the last. */
  next?: string;
}

/**
 * Where the folded statuses are kept, by workload (`<project>.<name>`). Derived: it may be emptied at any time and is
 * filled again from the bus. Two implementations, one suite: in this process, and in Redis for all instances.
 */
export interface ReadModel {
  /** Whether other instances read what this one writes. */
  readonly shared: boolean;
  /** Writes and removes; all instances see it from then on. */
  write(changes: readonly ReadModelChange[]): Promise<void>;
  get(key: string): Promise<Status | undefined>;
  /** Statuses in the order of their keys, at most `bytes` of them as JSON (but at least one), of one project or of all. */
  page(request: {
    project?: string | undefined;
    after?: string | undefined;
    bytes: number;
  }): Promise<StatusPage>;
  keys(): Promise<string[]>;
  /** Marks who filled it. */
  mark(epoch: number): Promise<void>;
  /** The mark; undefined when it was emptied since. */
  marked(): Promise<number | undefined>;
  close(): Promise<void>;
}

export type ReadModelChange = { key: string; status: Status } | { key: string; status: undefined };

/** Whether a key belongs to a project. */
export function isOf(project: string | undefined, key: string): boolean {
  return project === undefined || key.startsWith(`${project}.`);
}
