import type { Bus, Subscription } from '@skerry/bus';
import {
  compareVersions,
  digestRequestSchema,
  isWorkloadObject,
  LIMITS,
  LOCAL,
  parseAcross,
  workloadKey,
  type Desired,
  type DigestAnswer,
  type Version,
} from '@skerry/contracts';
import type { DesiredStore } from '../desired/desired-store.js';
import { hubObjectOf } from '../desired/held-object.js';
import { DigestPages } from './digest-pages.js';

/** Bytes of objects in one answer. */
const ANSWER_BYTES = LIMITS.messageBytes / 2;

/** Where a node asks its controller for what it does not hold. */
export const localDigestSubject = (node: string) => `${LOCAL.digest}.${node}`;

/**
 * The controller tells the other nodes what it holds and they do not: what came to it by the hub's digest never lay in the
 * site's stream. A node asks in pages, as a site asks the hub.
 */
export function answerDigests(bus: Bus, store: DesiredStore): Subscription {
  const pages = new DigestPages();
  return bus.respond(localDigestSubject('*'), (m): DigestAnswer => {
    const parsed = parseAcross(digestRequestSchema, m.json());
    if (!parsed.ok) throw new Error('a digest that is none');
    const all = pages.take(m.subject, parsed.value, m.data.length);
    if (all === undefined) return { objects: [], unknown: [], more: false };
    return differing(store, new Map(all.map((i) => [workloadKey(i.project, i.name), i.version])));
  });
}

function differing(store: DesiredStore, held: ReadonlyMap<string, Version>): DigestAnswer {
  const objects: Desired[] = [...store.siteObjects()];
  const traces: Record<string, string> = {};
  let bytes = 0;
  for (const [key, one] of store.entries()) {
    const { traceparent } = one;
    const version = held.get(key);
    // What the hub wants: what was changed here each node has from the site's own server.
    const object = hubObjectOf(one);
    if (
      object === undefined ||
      !isWorkloadObject(object) ||
      (version && compareVersions(object.version, version) <= 0)
    )
      continue;
    bytes += Buffer.byteLength(JSON.stringify(object));
    if (bytes > ANSWER_BYTES && objects.length > 0) return { objects, traces, unknown: [], more: true };
    objects.push(object);
    if (traceparent !== undefined) traces[key] = traceparent;
  }
  return { objects, traces, unknown: [], more: false };
}
