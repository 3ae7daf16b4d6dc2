import type { z } from 'zod';
import type { Transport } from './transport.js';

/** At which site something is asked; default one that will do. */
export interface AskOptions {
  /** Default 128 random bits. The same id again replays the outcome instead of acting twice. */
  requestId?: string;
  site?: string;
  signal?: AbortSignal;
}

/** Has a site do something with a dataset. */
export async function askSite<T>(
  transport: Transport,
  [path, operation]: readonly [string, object],
  { site, signal, requestId }: AskOptions & { requestId: string },
  schema: z.ZodType<T>,
): Promise<T> {
  const call = {
    method: 'POST' as const,
    path: `v1/datasets/${path}`,
    body: { operation, ...(site === undefined ? {} : { site }) },
    requestId,
    ...(signal === undefined ? {} : { signal }),
  };
  return (await transport.call(call, schema)).value;
}
