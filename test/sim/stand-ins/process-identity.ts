import { theTimeline } from '@skerry/sim';
import { host } from '../hosts.js';

interface Identity {
  pid: number;
  startTicks: number;
  bootId: string;
}

export function bootId(): string {
  return host().machine.bootId;
}

/** Of the process that asks: a simulated one has no other to ask for. */
export function identify(_pid: number): Identity {
  return { pid: theTimeline().current.id, startTicks: 1, bootId: bootId() };
}

/** At most one agent of a machine runs at a time: whoever asks is the one. */
export function isAlive(identity: Identity): boolean {
  return identity.pid === theTimeline().current.id && identity.bootId === bootId();
}
