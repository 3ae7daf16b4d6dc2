/** `node:perf_hooks` by the clock of the simulated process, whenever that is asked. */
export const performance = {
  now: () => globalThis.performance.now(),
};
