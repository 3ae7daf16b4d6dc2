import { digestSchema, objectEntrySchema, type ObjectEntry } from '@skerry/contracts';
import { z } from 'zod';
import { NotSkerry, ProblemError } from '../errors.js';
import type { Content, Transport } from '../transport.js';
import { KeyValues } from './key-values.js';
import { openObject, type OpenObject, type OpenOptions } from './open-object.js';
import { datasetPath } from './paths.js';

const writtenSchema = z.object({ object: z.object(objectEntrySchema.shape) });
const headSchema = z.object({
  size: z.coerce.number().int().min(0),
  digest: digestSchema,
  contentType: z.string(),
  /** Whether all of it is at this node. */
  complete: z.stringbool(),
});
/** What an object is, without its bytes. */
export type ObjectHead = z.infer<typeof headSchema>;

/** Node's fetch waits 5 min for an answer, which comes when the agent has all of a file. */
const TRANSFER_MS = 295_000;

/** A dataset of objects as this node has it. */
export class SiteObjects {
  constructor(
    private readonly transport: Transport,
    private readonly name: string,
  ) {}

  /**
   * Opens an object: its bytes are those of this one, whole, whatever is written meanwhile, and go on where they were when the
   * connection breaks. Cancel `bytes` when they are not wanted any more. Nothing there is refused (`not-found`).
   */
  async read(key: string, options: OpenOptions = {}): Promise<OpenObject> {
    return await openObject(this.transport, datasetPath(this.name, key), options);
  }

  /**
   * Makes an object of what is given: readers get the one before or this one, whole. A stream is sent once; anything else is sent
   * again when the agent did not answer. It may take 295 s: what takes longer goes by HTTP without that limit, as with `curl -T`.
   */
  async write(
    key: string,
    content: Content,
    { contentType = 'application/octet-stream', signal }: { contentType?: string; signal?: AbortSignal } = {},
  ): Promise<ObjectEntry> {
    const call = {
      method: 'PUT' as const,
      path: datasetPath(this.name, key),
      content,
      headers: { 'content-type': contentType },
      again: content instanceof ReadableStream ? ('never' as const) : ('always' as const),
      timeoutMs: TRANSFER_MS,
      ...(signal && { signal }),
    };
    return (await this.transport.call(call, writtenSchema)).value.object;
  }

  /** What a key holds, and whether all of it is here; undefined for nothing. */
  async head(key: string): Promise<ObjectHead | undefined> {
    try {
      return headOf(await this.transport.headers({ method: 'HEAD', path: datasetPath(this.name, key) }));
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      // An answer to HEAD cannot say why; one to GET of the key's entry does.
      const entry = await new KeyValues(this.transport, this.name).get(key);
      if (entry === undefined && error.problem.code === 'not-found') return undefined;
      throw error;
    }
  }
}

function headOf(headers: Headers): ObjectHead {
  const said = headSchema.safeParse({
    size: headers.get('content-length'),
    digest: headers.get('etag')?.replaceAll('"', ''),
    contentType: headers.get('content-type'),
    complete: headers.get('skerry-complete'),
  });
  if (said.success) return said.data;
  throw new NotSkerry('the headers of an object in a shape that this version does not know');
}
