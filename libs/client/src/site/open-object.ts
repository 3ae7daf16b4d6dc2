import { digestSchema } from '@skerry/contracts';
import { NotSkerry, ProblemError, Unreachable } from '../errors.js';
import { linkedAbort } from '../linked-abort.js';
import { pause, type Transport } from '../transport.js';
import { mayPass } from './patience.js';

export interface OpenOptions {
  /** Where to begin, bytes. Default 0. */
  offset?: number;
  /** Only the object with this digest: one of another is refused (`conflict`). */
  digest?: string;
  signal?: AbortSignal;
}

export interface OpenObject {
  /** Of the whole object, bytes. */
  size: number;
  digest: string;
  contentType: string;
  /** From `offset` on. */
  bytes: ReadableStream<Uint8Array>;
}

/** An agent that has to fetch it waits 8 s for what it is made of, and as long for its first bytes. */
const BEGIN_MS = 25_000;
/** An agent that fetches what it reads gives up after 30 s without a byte, and ends the connection. */
const SILENCE_MS = 45_000;
const TOO_MANY = 429;
/** About 9 s without a byte in between. */
const MOST_BREAKS = 8;
const BREAK_PAUSE_MS = 250;

type Reader = ReadableStreamDefaultReader<Uint8Array>;

/** Opens an object; tried again while the agent does not answer. */
export async function openObject(
  transport: Transport,
  path: string,
  options: OpenOptions,
): Promise<OpenObject> {
  const { offset = 0, digest: wanted, signal } = options;
  const breaks = new Breaks(signal);
  const open = async (from: number, digest: string | undefined) => {
    const headers = {
      accept: '*/*',
      range: `bytes=${from}-`,
      ...(digest === undefined ? {} : { 'if-match': `"${digest}"` }),
    };
    const call = { method: 'GET' as const, path, headers, timeoutMs: BEGIN_MS };
    return await transport.open({ ...call, ...(signal && { signal }) });
  };
  for (;;) {
    try {
      const response = await open(offset, wanted);
      const told = toldBy(response, path);
      const again = async (from: number) => readerOf(await open(from, told.digest));
      const rest = new Rest({ path, size: told.size, breaks, again }, readerOf(response), offset);
      return { ...told, bytes: new ReadableStream(rest, { highWaterMark: 0 }) };
    } catch (error) {
      // An agent that says that it cannot has tried for long enough; one with too much to do at once has not tried.
      if (error instanceof ProblemError && error.problem.status !== TOO_MANY) throw error;
      await breaks.bear(error);
    }
  }
}

/** Breaks in a row, of which there may be some. */
class Breaks {
  private inRow = 0;
  constructor(readonly signal: AbortSignal | undefined) {}

  none(): void {
    this.inRow = 0;
  }

  /** Waits, longer each time. Throws the error when another try makes no sense. */
  async bear(error: unknown): Promise<void> {
    this.signal?.throwIfAborted();
    this.inRow += 1;
    if (!mayPass(error) || this.inRow > MOST_BREAKS) throw error;
    await pause(BREAK_PAUSE_MS * this.inRow, this.signal);
  }
}

/** What is still to be read of an object, over as many connections as it takes. */
class Rest {
  private reader: Reader | undefined;

  constructor(
    private readonly of: {
      path: string;
      size: number;
      breaks: Breaks;
      again: (from: number) => Promise<Reader>;
    },
    reader: Reader,
    private at: number,
  ) {
    this.reader = reader;
  }

  async pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    const { size, breaks, again } = this.of;
    for (;;) {
      try {
        this.reader ??= await again(this.at);
        const part = await this.next(this.reader);
        this.at += part?.length ?? 0;
        breaks.none();
        if (part !== undefined) controller.enqueue(part);
        if (this.at >= size) controller.close();
        return;
      } catch (error) {
        await this.cancel();
        await breaks.bear(error);
      }
    }
  }

  async cancel(): Promise<void> {
    const { reader } = this;
    this.reader = undefined;
    await reader?.cancel().catch(() => undefined);
  }

  /** The next bytes; undefined at the end. Throws `Unreachable` when that comes too early, or nothing comes. */
  private async next(reader: Reader): Promise<Uint8Array | undefined> {
    const { path, size, breaks } = this.of;
    // By the reader, since a body that is being read does not always notice.
    const link = linkedAbort(breaks.signal);
    link.signal.addEventListener('abort', () => void reader.cancel().catch(() => undefined), { once: true });
    const timer = setTimeout(() => link.abort(), SILENCE_MS);
    const { done, value } = await reader
      .read()
      .catch((cause: unknown) => {
        throw new Unreachable(path, `it broke off after ${this.at} of ${size} bytes`, { cause });
      })
      .finally(() => {
        clearTimeout(timer);
        link.release();
      });
    breaks.signal?.throwIfAborted();
    if (!done) return value;
    if (this.at >= size) return undefined;
    throw new Unreachable(path, `it ended after ${this.at} of ${size} bytes`);
  }
}

/** What an answer says of the object, of which it has a part. */
function toldBy({ headers }: Response, path: string): Omit<OpenObject, 'bytes'> {
  const size = Number(headers.get('content-range')?.split('/')[1] ?? Number.NaN);
  const digest = digestSchema.safeParse(headers.get('etag')?.replaceAll('"', ''));
  if (!digest.success || !Number.isSafeInteger(size))
    throw new NotSkerry(`${path} holds no object, or is not answered by an agent`);
  return { size, digest: digest.data, contentType: headers.get('content-type') ?? '' };
}

function readerOf({ body }: Response): Reader {
  return (body ?? new ReadableStream<Uint8Array>({ start: (empty) => empty.close() })).getReader();
}
