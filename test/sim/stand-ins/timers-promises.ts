/** `node:timers/promises` over the timers of the simulated process. */
function sleep<T>(ms?: number, value?: T, options: { signal?: AbortSignal } = {}): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const { signal } = options;
    const timer = globalThis.setTimeout(() => resolve(value), ms);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(new Error('aborted'));
    });
  });
}

function immediate(): Promise<void> {
  return new Promise((resolve) => void globalThis.setImmediate(resolve));
}

export { immediate as setImmediate, sleep as setTimeout };
