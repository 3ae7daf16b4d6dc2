/** What has to be ended when the benchmark is stopped from outside: processes of a cloud are not its children's children, and would go on. */
const ends = new Set<() => Promise<void>>();

/** Remembers how to end something until it was ended; returns the way to do that. */
export function endable(end: () => Promise<void>): () => Promise<void> {
  const once = async () => {
    if (ends.delete(once)) await end();
  };
  ends.add(once);
  return once;
}

/** From now on Ctrl-C, SIGTERM and SIGHUP end what runs, and then the process. */
export function endOnSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      process.stderr.write(`stopped by ${signal}: ending what runs\n`);
      void Promise.allSettled([...ends].map((end) => end())).then(() => process.exit(130));
    });
  }
}
