/** In place of what looks after the logs of replicas: simulated ones write none. */
export class LogKeeper {
  start(): void {
    // Nothing grows.
  }

  stop(): void {
    // Nothing was begun.
  }
}
