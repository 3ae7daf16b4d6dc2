import { manifestSchema, type ChunkRef, type DatasetRecord, type RecordState } from '@skerry/contracts';
import { stateText } from './sealing/bare-state.js';
import { mergeStates, showState } from './states.js';

/** What of a record is kept: of a sealed one not its box. */
interface Naming {
  state: RecordState;
  /** Of a sealed one. */
  beside?: readonly ChunkRef[];
}

/**
 * Which lists of chunks the objects of a dataset name now: of each key those of the record that counts, in whatever order records
 * come. Of an encrypted one those that stand beside what is sealed.
 */
export class NamedLists {
  private readonly newest = new Map<string, Naming>();

  /** One that is no record of an object names nothing. */
  add({ key, state, sealed }: Pick<DatasetRecord, 'key' | 'state' | 'sealed'>): void {
    const record: Naming = { state, ...(sealed && { beside: sealed.lists ?? [] }) };
    const before = this.newest.get(key);
    const counts =
      before === undefined || stateText(mergeStates(before.state, state)) === stateText(state)
        ? record
        : before;
    this.newest.set(key, counts);
  }

  lists(how: { ttlMs: number | undefined; nowMs: number }): ChunkRef[] {
    return [...this.newest.values()].flatMap((record) => listsOf(record, how));
  }
}

function listsOf(
  { state, beside }: Naming,
  how: { ttlMs: number | undefined; nowMs: number },
): readonly ChunkRef[] {
  if (state.rule !== 'newest') return [];
  // Whether a sealed one is a deletion is not said, but that one names no lists.
  const shown = showState(beside === undefined ? state : { ...state, value: '' }, how)?.value;
  if (shown === undefined) return [];
  return beside ?? listsIn(shown);
}

function listsIn(text: string): ChunkRef[] {
  try {
    return manifestSchema.safeParse(JSON.parse(text)).data?.lists ?? [];
  } catch {
    return [];
  }
}
