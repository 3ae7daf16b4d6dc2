import { reasonOf } from '../alarm.js';
import { pause, realClock } from '../clock.js';
import { TimedOut, Unavailable } from '../errors.js';

/** Waits between attempts; the last repeats. */
const RETRY_MS = [100, 250, 500, 1_000];

/**
 * Tries until it works, `forMs` are over or the signal is aborted. For a limited time only `Unavailable` and
 * `TimedOut` are tried again, and the last error is thrown when it is over; with Infinity everything is.
 */
export async function retried(
  act: () => Promise<void>,
  options: { signal: AbortSignal; forMs: number; onFailure?: (error: unknown) => void },
): Promise<void> {
  const deadline = performance.now() + options.forMs;
  for (let attempt = 0; !options.signal.aborted; attempt++) {
    try {
      await act();
      return;
    } catch (error) {
      const away = error instanceof Unavailable || error instanceof TimedOut;
      const temporary = away || options.forMs === Infinity;
      if (!temporary || performance.now() > deadline) throw error;
      // One failure is what a restart looks like; many are news.
      if (attempt === RETRY_MS.length) options.onFailure?.(new Error(reasonOf(error), { cause: error }));
      await pause(realClock, RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)] ?? 1_000, options.signal);
    }
  }
}

/** Makes calls that come while `act` still runs into one more run after it. */
export function coalesced(act: () => Promise<void>): () => void {
  let running = false;
  let again = false;
  const run = async () => {
    running = true;
    try {
      while (again) {
        again = false;
        await act();
      }
    } finally {
      running = false;
    }
  };
  return () => {
    again = true;
    if (!running) void run();
  };
}
