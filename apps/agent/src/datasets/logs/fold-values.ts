import { LIMITS, Refusal, type LogRule } from '@skerry/contracts';
import { foldEntry, type Fold, type KeptEntry } from '@skerry/domain';

/** What entries lead to: what of them travels, and what is remembered of their sensors from then on. */
export interface FoldedValues {
  kept: KeptEntry[];
  folds: [string, Fold][];
}

/** What was so before: what is remembered of a sensor, and of how many at most. */
export interface Before {
  at: number;
  before: (sensor: string) => Fold | undefined;
  known: number;
}

/** Applies a log's rule to entries that are written together at one moment. Throws a `Refusal` for all when one cannot be taken. */
export function foldValues(rule: LogRule, values: readonly string[], given: Before): FoldedValues {
  const { edge } = rule;
  const { at } = given;
  for (const [n, value] of values.entries()) refuseTooLarge(rule, value, n);
  if (edge === undefined) return { kept: values.map((value) => ({ at, value })), folds: [] };
  const folds = new Map<string, Fold>();
  const foldOf = (sensor: string) => folds.get(sensor) ?? given.before(sensor);
  const kept = values.flatMap((value, n) => {
    const folded = foldEntry(edge, { at, value }, foldOf);
    if (!folded.ok)
      throw new Refusal('invalid', `entry ${n + 1} of ${values.length}: ${folded.problem}`, {
        hint: `${rule.project}/${rule.name} takes ${folded.allowed}; nothing of this was taken`,
      });
    folds.set(folded.sensor, folded.fold);
    return folded.kept;
  });
  refuseTooMany(rule, folds, given);
  return { kept, folds: [...folds] };
}

function refuseTooLarge({ project, name, valueBytes }: LogRule, value: string, n: number): void {
  const bytes = Buffer.byteLength(value);
  if (bytes <= valueBytes) return;
  throw new Refusal('too-large', `entry ${n + 1} has ${bytes} bytes`, {
    hint: `entries of ${project}/${name} have at most ${valueBytes} bytes (limits.valueBytes)`,
  });
}

function refuseTooMany(rule: LogRule, folds: ReadonlyMap<string, Fold>, { before, known }: Before): void {
  const more = [...folds.keys()].filter((sensor) => before(sensor) === undefined).length;
  if (more === 0 || known + more <= LIMITS.sensorsPerLog) return;
  throw new Refusal(
    'storage-full',
    `more than ${LIMITS.sensorsPerLog} sensors in ${rule.project}/${rule.name}`,
    {
      hint: `a site tells so many apart in one log (limit sensorsPerLog), by "${rule.edge?.by ?? ''}"`,
    },
  );
}
