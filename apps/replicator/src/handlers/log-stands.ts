import type { Dataset, LogsRequest } from '@skerry/contracts';
import { isOfAnother } from '@skerry/domain';
import type { EntriesStore } from '../stores/entries.store.js';
import { logOf } from '../stores/logs.store.js';
import type { Stand } from './choose-copies.handler.js';

/** What a site says of a log that it holds, and by which name it writes to it; undefined: it has not said so. */
export type HeldLog = LogsRequest['held'][number] & { origin: string | undefined };

/**
 * How a log stands at a site. What the hub has not got of it is counted here, not believed: a hub that has lost what was sent asks for
 * it again before the log may go. One that is collected is whole when the hub has all that was written there.
 */
export async function standOf(
  dataset: Dataset,
  { origin, cursor, streamEpoch, written }: HeldLog,
  entries: Pick<EntriesStore, 'head' | 'allEpochs' | 'newestOf'>,
): Promise<Stand> {
  const { sequence: head } = await entries.head(dataset);
  const read = { cursor: cursor ?? 0, streamEpoch };
  const lost = read.cursor > head || isOfAnother(await entries.allEpochs(), read);
  const stored = origin === undefined ? undefined : await entries.newestOf(dataset, origin);
  const unsent = written === undefined || stored === undefined ? undefined : Math.max(0, written - stored);
  const whole = logOf(dataset).flow === 'collect' ? unsent === 0 : cursor !== undefined && cursor >= head;
  return { dataset, whole: whole && !lost, unsent, lost };
}
