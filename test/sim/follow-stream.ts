import type { SimServer } from '@skerry/sim';

type Memory = SimServer['memory'];
export type Stream = NonNullable<ReturnType<Memory['streams']['get']>>;
/** A message as it lies in its stream. */
export type Stored = Parameters<Parameters<Stream['onStored']>[0]>[0];

/** Tells of each message that a server stores in a stream; and, when the server has lost what came last, of the stream that is left. */
export function followStream(
  memory: Memory,
  name: string,
  act: (m: Stored) => void,
  lost: (left: Stream) => void = () => undefined,
): void {
  let heard: Stream | undefined;
  const attach = () => {
    const stream = memory.streams.get(name);
    if (stream === undefined || stream === heard) return;
    if (heard !== undefined) lost(stream);
    heard = stream;
    stream.onStored((m) => stream === memory.streams.get(name) && act(m));
  };
  memory.onStreams(attach);
  attach();
}

/** The key of a message of a bucket. */
export function keyIn(m: Stored): string {
  return m.subject.split('.').slice(2).join('.');
}

export function jsonOf(m: Stored): unknown {
  return JSON.parse(new TextDecoder().decode(m.bytes));
}
