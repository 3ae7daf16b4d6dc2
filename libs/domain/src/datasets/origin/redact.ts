import type { RecordState } from '@skerry/contracts';

/**
 * Of a JSON object the named fields at its top, whole; undefined for what is no object, has none of them, cannot be read, or
 * would become longer than it was (numbers and broken characters may be written at more length), so that no message outgrows
 * its limit by it.
 */
export function redactValue(text: string, keep: readonly string[]): string | undefined {
  const value = parsed(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const kept = Object.entries(value).filter(([field]) => keep.includes(field));
  if (kept.length === 0) return undefined;
  const redacted = written(Object.fromEntries(kept));
  return redacted !== undefined && redacted.length <= text.length ? redacted : undefined;
}

/**
 * What another area may know of a state: the same words of the same stores at the same moments, with values redacted, so that
 * the newest still wins there. A value that is withheld looks like a deletion. Undefined under rules whose states are no values.
 */
export function redactState(state: RecordState, keep: readonly string[]): RecordState | undefined {
  switch (state.rule) {
    case 'newest':
    case 'single-writer': {
      const { value, ...word } = state;
      const redacted = value === undefined ? undefined : redactValue(value, keep);
      return redacted === undefined ? word : { ...word, value: redacted };
    }
    case 'keep-both': {
      const siblings = state.siblings.flatMap((sibling) => {
        const value = redactValue(sibling.value, keep);
        return value === undefined ? [] : [{ ...sibling, value }];
      });
      return { ...state, siblings };
    }
    case 'counter':
    case 'set':
      return undefined;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Undefined for what is nested deeper than can be written. */
function written(value: object): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}
