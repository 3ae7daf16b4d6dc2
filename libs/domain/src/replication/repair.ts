import { compareVersions, type Version } from '@skerry/contracts';
import type { Delivered } from './differences.js';

/** What a site says it holds. */
export interface Held {
  /** `<project>.<name>`. */
  key: string;
  version: Version;
}

export interface Repair {
  /** Keys of the objects that the site lacks or holds older, in order of the key. */
  send: string[];
  /** Keys that the site holds and the hub does not know: they stay as they are. */
  unknown: string[];
  /** Keys that the site holds newer than the hub does: the hub's copy went back in time. */
  newer: string[];
}

/** Compares what a site holds with what lies in `DL` for it, by version alone: a lag figure can read 0 on a deaf site. */
export function repair(held: readonly Held[], delivered: ReadonlyMap<string, Delivered>): Repair {
  const holds = new Map(held.map((h) => [h.key, h.version]));
  const send = [...delivered]
    .filter(([key, there]) => {
      const version = holds.get(key);
      return version === undefined || compareVersions(version, there.version) < 0;
    })
    .map(([key]) => key)
    .toSorted();
  const unknown: string[] = [];
  const newer: string[] = [];
  for (const [key, version] of holds) {
    const there = delivered.get(key);
    if (there === undefined) unknown.push(key);
    else if (compareVersions(version, there.version) > 0) newer.push(key);
  }
  return { send, unknown: unknown.toSorted(), newer: newer.toSorted() };
}

/** Why `DL` cannot be trusted to reach its sites any more, or undefined. */
export function wentBack(stream: {
  /** Undefined when the stream does not exist. */
  lastSequence: number | undefined;
  /** Highest sequence ever seen by us or by any site that reported it. */
  highestSeen: number;
}): string | undefined {
  if (stream.lastSequence === undefined) return 'the stream is gone';
  if (stream.lastSequence >= stream.highestSeen) return undefined;
  // Sites' sources ignore sequences they have passed already, so they would be deaf until it catches up.
  return `the stream is at ${stream.lastSequence}, but ${stream.highestSeen} was seen before`;
}
