import type { Bus } from '@skerry/bus';
import { theTimeline, type SimProcess } from '@skerry/sim';
import type { Machine } from './machine.js';

/** Where a process runs and what it can reach from there. */
export interface Host {
  machine: Machine;
  /** A connection to the site's own server. */
  connect: () => Bus;
  /** What replicas on the machine can ask its agent. */
  readonly answers: Answers[];
}

/** Answers a request of a replica, as far as it knows it. */
export type Answers = (request: object, response: object, token: string) => boolean;

const hosts = new WeakMap<SimProcess, Host>();

export function setHost(process: SimProcess, host: Host): void {
  hosts.set(process, host);
}

/** The host of the process whose turn it is. Throws when it has none: only agents run on machines. */
export function host(): Host {
  const { current } = theTimeline();
  const found = hosts.get(current);
  if (found === undefined) throw new Error(`${current.name} runs on no machine`);
  return found;
}
