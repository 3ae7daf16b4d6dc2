import { datasetEntrySchema, type DatasetEntry } from '@skerry/contracts';
import { z } from 'zod';
import type { Transport } from '../transport.js';
import { type Followed, Patience } from './patience.js';

/**
 * What a watcher is told. `anew`: forget what was told before; it comes first, and again whenever the agent cannot say what
 * changed meanwhile, as after it was started again. After it everything that is there, then `caughtUp`, then changes.
 */
export type KeyChange =
  | { kind: 'anew' }
  | { kind: 'entry'; entry: DatasetEntry }
  | { kind: 'gone'; key: string }
  | { kind: 'caughtUp' };

export interface WatchOptions extends Followed {
  /** Only keys that begin so. */
  prefix?: string;
  /** Whether what is there already is told. Default true; else changes alone follow `anew`. */
  existing?: boolean;
}

const changesSchema = z.object({
  changes: z.array(z.object({ key: z.string(), entry: z.object(datasetEntrySchema.shape).optional() })),
  since: z.string(),
  lost: z.boolean().optional(),
});

/** Ends quietly when the signal aborts. Throws a refusal that is for good, and when the agent does not answer for `patienceMs`. */
export async function* watchKeys(
  of: { transport: Transport; path: string; list: () => AsyncGenerator<DatasetEntry> },
  options: WatchOptions,
): AsyncGenerator<KeyChange> {
  const { prefix = '', existing = true, signal } = options;
  const patience = new Patience(options);
  let since: string | undefined;
  while (patience.goesOn) {
    try {
      const query = since === undefined ? { watch: 1, waitMs: 0 } : { watch: 1, since };
      const call = { method: 'GET' as const, path: of.path, query, ...(signal && { signal }) };
      const { value: told } = await of.transport.call(call, changesSchema);
      patience.heard();
      const known = since !== undefined && told.lost !== true;
      const changes = told.changes.filter(({ key }) => key.startsWith(prefix)).map(changeOf);
      // What changes while all is listed is told afterwards: `told.since` is of before.
      for await (const change of known ? changes : everything(existing ? of.list : undefined)) {
        if (!patience.goesOn) return;
        yield change;
      }
      ({ since } = told);
    } catch (error) {
      if (!(await patience.bears(error))) return;
    }
  }
}

async function* everything(
  list: (() => AsyncGenerator<DatasetEntry>) | undefined,
): AsyncGenerator<KeyChange> {
  yield { kind: 'anew' };
  if (list !== undefined) for await (const entry of list()) yield { kind: 'entry', entry };
  yield { kind: 'caughtUp' };
}

function changeOf({ key, entry }: { key: string; entry?: DatasetEntry | undefined }): KeyChange {
  return entry === undefined ? { kind: 'gone', key } : { kind: 'entry', entry };
}
