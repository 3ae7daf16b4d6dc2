import { LIMITS, Refusal, type Copy, type RecordState } from '@skerry/contracts';
import { showState } from '@skerry/domain';
import { reason } from '../log.js';

const TROUBLE_CHARS = 200;

/** Throws a `Refusal` when a write here would pass a limit of the dataset. What other sites wrote is always taken. */
export function refuseTooMuch(
  { project, name, limits }: Copy,
  after: RecordState,
  now: { key: string; isNew: boolean; keys: number; bytes: number },
): void {
  const size = Buffer.byteLength(JSON.stringify(after));
  const title = `${project}/${name} is full`;
  // A deletion makes room, and takes a little.
  if (showState(after, { nowMs: 0 }) === undefined) return;
  if (size > LIMITS.stateBytes) {
    throw new Refusal('too-large', `${now.key} would take ${size} bytes`, {
      hint: `at most ${LIMITS.stateBytes} (limit stateBytes)`,
    });
  }
  if (now.isNew && now.keys >= limits.keys) {
    throw new Refusal('storage-full', title, {
      hint: `it has ${limits.keys} keys (limits.keys): allow more, or delete some and wait until that is forgotten`,
    });
  }
  if (now.bytes + size > limits.bytes) {
    throw new Refusal('storage-full', title, {
      hint: `it has ${now.bytes} of ${limits.bytes} bytes (limits.bytes): allow more, or delete some`,
    });
  }
}

/** Throws a `Refusal` when it is another site, for ever, that writes this dataset. */
export function refuseElsewhere({ project, name, conflicts, holder, home = '' }: Copy, site: string): void {
  if (conflicts !== 'single-writer' || holder !== undefined || home === site) return;
  throw new Refusal(
    'conflict',
    `only site ${home} writes ${project}/${name} (conflicts: single-writer); this is ${site}`,
    { hint: `write at ${home}; here it can be read` },
  );
}

/** The disk took nothing of it: what is wrong from now on, and what who writes is told. */
export function notWritten(
  { project, name }: { project: string; name: string },
  what: 'writes to' | 'entries of',
  error: unknown,
): { trouble: string; refusal: Refusal } {
  const why = reason(error);
  return {
    trouble: `the disk takes no ${what} ${project}/${name}: ${why}`.slice(0, TROUBLE_CHARS),
    refusal: new Refusal('storage-full', `not written: ${why}`, {
      hint: 'make room on the disk of this node, then write again',
    }),
  };
}
