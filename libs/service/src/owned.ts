import { StorageFull, type Bus } from '@skerry/bus';
import {
  BUCKETS,
  bucketStream,
  STREAMS,
  type BucketName,
  type StreamDefinition,
  type StreamName,
} from '@skerry/contracts';
import type { JsonLog } from './json-log.js';

/** Streams and buckets of other apps that a service reads or writes. */
export interface Needs {
  streams?: readonly StreamName[];
  buckets?: readonly BucketName[];
}

const POLL_MS = 200;

export interface Trying {
  log: JsonLog;
  /** Ends the trying. */
  until: AbortSignal;
  /** Told what stands in the way, and undefined once nothing does. */
  report: (problem: string | undefined) => void;
}

/** Creates or reconciles every stream and bucket whose owner is `app`. Goes on trying while the hub is away or has no room. */
export async function ensureOwned(bus: Bus, app: string, trying: Trying): Promise<void> {
  const streams: StreamDefinition[] = Object.values(STREAMS);
  // What a stream says again is for who is active among its owners to say.
  for (const stream of streams.filter((s) => s.owner === app && s.saysAgain === undefined))
    await persist(() => bus.ensureStream(stream), `stream ${stream.name}`, trying);
  for (const bucket of Object.values(BUCKETS).filter((b) => b.owner === app))
    await persist(() => bus.ensureBucket(bucket), `bucket ${bucket.name}`, trying);
}

async function persist(attempt: () => Promise<void>, what: string, trying: Trying): Promise<void> {
  const { log, until, report } = trying;
  for (let tries = 0; !until.aborted; tries += 1) {
    try {
      await attempt();
      report(undefined);
      return;
    } catch (error) {
      report(`cannot make ${what}: ${whyNot(error)}`);
      if (tries % 25 === 0) log.warn(`cannot make sure of ${what}, trying again`, error);
      await pause(POLL_MS);
    }
  }
}

function whyNot(error: unknown): string {
  const said = error instanceof Error ? error.message : String(error);
  return error instanceof StorageFull
    ? `${said}; give the hub's nats-server more disk, or a higher max_file in its jetstream settings`
    : said;
}

/** The streams, of those that are needed, that do not exist yet. */
export async function missing(bus: Bus, needs: Needs): Promise<string[]> {
  const names = [
    ...(needs.streams ?? []).map((name) => STREAMS[name].name),
    ...(needs.buckets ?? []).map((name) => bucketStream(BUCKETS[name].name)),
  ];
  const states = await Promise.all(names.map((name) => bus.streamState(name).catch(() => undefined)));
  return names.filter((_name, at) => states[at] === undefined);
}

/** Waits until everything needed exists, made by the apps that own it; tells `report` what is missing. */
export async function waitForNeeds(
  bus: Bus,
  needs: Needs,
  report: (names: string[]) => void,
  until: AbortSignal,
): Promise<void> {
  while (!until.aborted) {
    const names = await missing(bus, needs);
    report(names);
    if (names.length === 0) return;
    await pause(POLL_MS);
  }
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
