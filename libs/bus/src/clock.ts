/** Time as the bus needs it; simulations bring their own. */
export interface Clock {
  /** Wall clock, ms since the epoch. */
  now(): number;
  /** Milliseconds from an arbitrary origin; never goes back, not even when the wall clock is set. */
  monotonic(): number;
  /** Calls once after `ms`; returns how to call it off. Does not keep the process alive. */
  after(ms: number, act: () => void): () => void;
}

export const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (ms, act) => {
    const timer = setTimeout(act, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Resolves after `ms`, or at once when `signal` is aborted. */
export function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      cancel();
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const cancel = clock.after(ms, end);
    signal?.addEventListener('abort', end);
  });
}
