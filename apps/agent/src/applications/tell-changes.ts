import { LIMITS, parse, Refusal } from '@skerry/contracts';
import { z } from 'zod';
import { askDataset } from '../datasets/ask-dataset.js';
import { bytesOf, readLog, type AppDesk, type AskedBySubject } from './ask-by-subject.js';

/** With nothing to tell, a message says so this often: who hears none for a while asks again. */
const HEARTBEAT_MS = 2_000;

const waitMs = z.number().int().min(100).max(LIMITS.watchWaitMs).default(HEARTBEAT_MS);
const watchSchema = z.strictObject({
  since: z.string().max(64).optional(),
  /** Only keys that begin so. */
  prefix: z.string().max(LIMITS.datasetKeyChars).default(''),
  waitMs,
});
const followSchema = z.strictObject({
  since: z.string().max(64).optional(),
  fromMs: z.number().optional(),
  site: z.string().optional(),
  limit: z.number().optional(),
  waitMs,
});

/**
 * What is told to who watches a dataset or follows a log, message by message: the first at once, then whenever there is something,
 * else now and then with nothing in it. Each has a `since`: who asks again with the newest that he is done with misses nothing.
 * Ends only by a `Refusal`.
 */
export function tellChanges(desk: AppDesk, asked: AskedBySubject): AsyncGenerator<object, never> {
  return asked.verb === 'watch' ? keysThatChange(desk, asked) : entriesThatCome(desk, asked);
}

export function isToldChanges(verb: string): boolean {
  return verb === 'watch' || verb === 'follow';
}

async function* keysThatChange(
  desk: AppDesk,
  { caller, name, body }: AskedBySubject,
): AsyncGenerator<object, never> {
  const { since: from, prefix, waitMs: pause } = valid(watchSchema, body, 'a dataset');
  for (let since = from, wait = 0; ; wait = pause) {
    const asked = { name, verb: 'watch', waitMs: wait, ...(since === undefined ? {} : { since }) };
    const answer = await askDataset(desk.datasets, caller, asked);
    if (!('changes' in answer)) throw new Error(`a watch of ${name} has no changes`);
    const { changes, ...rest } = answer;
    const told = changes.filter(({ key }) => key.startsWith(prefix));
    for (const [part, isLast] of inParts(told))
      yield { changes: part, ...(isLast ? rest : { since: since ?? rest.since }) };
    ({ since } = rest);
  }
}

/** What of it goes in each message; one that is followed by more does not move the reader on. */
function* inParts<T extends object>(all: readonly T[]): Generator<[T[], boolean]> {
  let part: T[] = [];
  let bytes = 0;
  for (const one of all) {
    const own = bytesOf(one);
    if (part.length > 0 && bytes + own > LIMITS.appChangesBytes) {
      yield [part, false];
      [part, bytes] = [[], 0];
    }
    part.push(one);
    bytes += own;
  }
  yield [part, true];
}

async function* entriesThatCome(desk: AppDesk, asked: AskedBySubject): AsyncGenerator<object, never> {
  const { since, fromMs, waitMs: pause, ...how } = valid(followSchema, asked.body, 'a log');
  for (let place: object = { since, fromMs }, wait = 0; ; wait = pause) {
    const page = await readLog(desk, { ...asked, body: { ...how, ...place, waitMs: wait } });
    yield page;
    place = { since: page.since };
  }
}

function valid<T>(schema: z.ZodType<T>, body: object, what: string): T {
  const result = parse(schema, body);
  if (result.ok) return result.value;
  throw new Refusal('invalid', `not what can be asked of ${what}`, { issues: result.issues });
}
