import { TimedOut, type Bus, type StreamState } from '@skerry/bus';

/** For the leaders of all streams, which are made at the same time, on a busy hub. */
const LED_MS = 60_000;

/** A hub of several servers says nothing of a stream that has no leader yet: asked again, what is done already is done. */
export async function untilLed<T>(ask: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + LED_MS;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof TimedOut) || performance.now() > deadline) throw error;
    }
  }
}

/** Of a stream, also while it is between two leaders; undefined when there is none. */
export async function stateOf(bus: Bus, stream: string): Promise<StreamState | undefined> {
  return await untilLed(async () => await bus.streamState(stream));
}
