import { NODE_TIMINGS, type NodeTimings } from './timings.js';

/** How a node is heard. */
export type NodeHearing = 'ready' | 'suspect' | 'lost';

interface NodeRecord {
  readonly hearing: NodeHearing;
  /** Since when it has been heard without a pause; absent while it is silent. */
  readonly steadySince?: number;
  /** When it was lost, within the last `flapWindowMs`. */
  readonly lostAt: readonly number[];
}

/** What a controller remembers of its nodes between two looks. */
export interface NodesHeard {
  /** Silence before this does not count. */
  readonly hearingSince: number;
  readonly tickedAt: number;
  readonly connected: boolean;
  readonly nodes: ReadonlyMap<string, NodeRecord>;
}

export interface NodesInput {
  /** Monotonic milliseconds. */
  readonly now: number;
  /** Whether this process is connected to the site's server. */
  readonly connected: boolean;
  readonly members: readonly string[];
  /** When each node was heard last, by the same clock. */
  readonly heard: ReadonlyMap<string, number>;
}

/** Begins to look at `now`; nobody is held to have been silent before `hearingSince`. */
export function beginNodes(hearingSince: number, now = hearingSince): NodesHeard {
  return { hearingSince, tickedAt: now, connected: true, nodes: new Map() };
}

/**
 * One look at who was heard. Silence counts only while the one who looks was connected and running. A node that was lost
 * takes work again when it has been heard for a while without a pause; for longer when it comes and goes. The same input
 * always gives the same answer.
 */
export function tickNodes(before: NodesHeard, input: NodesInput, timings = NODE_TIMINGS): NodesHeard {
  const { now, connected } = input;
  const hearingSince = hearing(before, now, timings);
  const nodes = new Map<string, NodeRecord>();
  for (const name of input.members) {
    const was = before.nodes.get(name) ?? UNKNOWN;
    nodes.set(name, connected ? judge(was, silenceOf(name, input, hearingSince), now, timings) : was);
  }
  return { hearingSince, tickedAt: now, connected, nodes };
}

/** How a node stands: unknown ones are suspect until they are heard. */
export function hearingOf(state: NodesHeard, node: string): NodeHearing {
  return state.nodes.get(node)?.hearing ?? 'suspect';
}

const UNKNOWN: NodeRecord = { hearing: 'suspect', lostAt: [] };

function hearing(before: NodesHeard, now: number, timings: NodeTimings): number {
  const deaf = !before.connected || now - before.tickedAt > timings.tickGapMs;
  return deaf ? Math.max(before.hearingSince, now + timings.regainGraceMs) : before.hearingSince;
}

/** Below `suspectAfterMs` and heard: `heard` says so; else how long it was silent as far as that counts. */
function silenceOf(name: string, { now, heard }: NodesInput, hearingSince: number) {
  const at = heard.get(name);
  return {
    heardMs: at === undefined ? Number.POSITIVE_INFINITY : now - at,
    silentMs: now - Math.max(at ?? hearingSince, hearingSince),
  };
}

function judge(
  was: NodeRecord,
  { heardMs, silentMs }: { heardMs: number; silentMs: number },
  now: number,
  timings: NodeTimings,
): NodeRecord {
  const lostAt = was.lostAt.filter((at) => now - at < timings.flapWindowMs);
  if (heardMs < timings.suspectAfterMs) {
    const steadySince = was.steadySince ?? now;
    const waitMs = holdMs(was, lostAt.length, timings);
    return { hearing: now - steadySince >= waitMs ? 'ready' : 'suspect', steadySince, lostAt };
  }
  if (was.hearing === 'lost') return { hearing: 'lost', lostAt };
  if (silentMs >= timings.lostAfterMs) return { hearing: 'lost', lostAt: [...lostAt, now] };
  // Silence that does not count yet leaves a node as it was.
  if (silentMs < timings.suspectAfterMs) return { ...was, lostAt };
  return { hearing: 'suspect', lostAt };
}

/** Only a node that was lost has to prove itself. */
function holdMs(was: NodeRecord, losses: number, timings: NodeTimings): number {
  if (was.hearing === 'ready' || losses === 0) return 0;
  return losses >= timings.flaps ? timings.holdDownMs : timings.steadyMs;
}
