import { STREAMS, type BucketDefinition, type StreamDefinition } from '@skerry/contracts';
import type { Alarm } from '../alarm.js';
import type { Bus } from '../bus.js';

/** What a suite needs of an implementation: several buses that meet, and faults. */
export interface Meeting {
  /** A new bus at the same server. Its alarms are collected in `alarms`. */
  open(name: string): Promise<Bus>;
  /** Takes one bus's connection away. */
  cut(bus: Bus): Promise<void>;
  heal(bus: Bus): Promise<void>;
  /** Deletes a stream as an operator would, with all that lies in it. */
  wipe(stream: string): Promise<void>;
  readonly alarms: Alarm[];
  close(): Promise<void>;
}
export type OpenMeeting = () => Promise<Meeting>;

const MIB = 1024 * 1024;
/** A stream of the suite's own. */
export const streamNamed = (name: string, more: Partial<StreamDefinition> = {}): StreamDefinition => ({
  name,
  subjects: [`${name.toLowerCase()}.>`],
  owner: 'test',
  maxBytes: 8 * MIB,
  discard: 'new',
  duplicateWindowS: 60,
  ...more,
});
export const bucketNamed = (name: string, more: Partial<BucketDefinition> = {}): BucketDefinition => ({
  name,
  owner: 'test',
  maxBytes: 8 * MIB,
  ...more,
});
export const DEAD: StreamDefinition = { ...STREAMS.DEAD, maxBytes: 8 * MIB };

export interface Value {
  n: number;
}
/** Refuses what is no `Value`. */
export function parseValue(value: unknown): Value {
  if (typeof value === 'object' && value !== null && 'n' in value && typeof value.n === 'number') {
    return { n: value.n };
  }
  throw new Error('n: a number');
}

const DEADLINE_MS = 10_000;
/** Waits until the condition holds; throws with what was awaited after 10 s. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${DEADLINE_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** What a promise was rejected with. */
export async function failure(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Error) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

/** A promise that someone else settles. */
export function gate(): { opened: Promise<void>; open: () => void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
