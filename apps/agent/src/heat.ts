/** How warm work has made the agent. Once `WARM_MS` of work have come together its hot code is optimized, until it is cold again. */
export interface Heat {
  /** Processor time that was taken beyond `REST_SHARE`, ms. */
  readonly workMs: number;
  readonly optimized: boolean;
}

export const COLD: Heat = { workMs: 0, optimized: false };

/** A start takes less than half of it. */
const WARM_MS = 1_000;
/** Of one processor: what takes no more cools down, by this much of the time that goes by. */
const REST_SHARE = 0.1;

/** After `tookMs` in which the agent took `workMs` of processor time. */
export function nextHeat(heat: Heat, [workMs, tookMs]: readonly [workMs: number, tookMs: number]): Heat {
  const sum = Math.min(WARM_MS, Math.max(0, heat.workMs + workMs - REST_SHARE * tookMs));
  return { workMs: sum, optimized: sum === WARM_MS || (heat.optimized && sum > 0) };
}
