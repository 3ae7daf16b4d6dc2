import { createReadStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import {
  datasetEntrySchema,
  LIMITS,
  parse,
  type Dataset,
  type DatasetEntry,
  type DatasetOperation,
} from '@skerry/contracts';
import { CommandFailed, EXIT } from '../exit-codes.js';
import { keyOf } from '../names.js';
import { ask, find, refOf, type AtSite } from './datasets.js';
import type { Session } from './session.js';

const PAGE = 1_000;
/** Writes on their way at once. */
const AT_ONCE = 16;
const STREAM = '-';

export interface CopyDatasetOptions extends AtSite {
  to?: string;
  from?: string;
}

/**
 * `skerry data copy DATASET --to FILE|-` writes every key as one JSON object a line, as one site holds it; `--from` puts each line of
 * such a file, as if people had: a counter is added to, elements go into a set, values take the place of those there.
 */
export async function copyDataset(
  session: Session,
  name: string,
  options: CopyDatasetOptions,
): Promise<void> {
  const { to, from } = options;
  if ((to === undefined) === (from === undefined))
    throw new CommandFailed(
      EXIT.usage,
      'where to, or where from?',
      'give --to FILE or --from FILE; - is the standard output or input',
    );
  const dataset = await find(session, name);
  if (to !== undefined) await copyOut(session, dataset, to, options);
  else if (from !== undefined) await copyIn(session, dataset, from, options);
}

async function copyOut(session: Session, dataset: Dataset, to: string, at: AtSite): Promise<void> {
  const { terminal } = session;
  let keys = 0;
  if (to === STREAM) {
    for await (const entries of pages(session, dataset, at))
      for (const entry of entries) terminal.result(entry, () => terminal.say(JSON.stringify(entry)));
    return;
  }
  // Under its name only when it is whole.
  const part = `${to}.part`;
  const file = await open(part, 'w', 0o600);
  try {
    for await (const entries of pages(session, dataset, at)) {
      keys += entries.length;
      await file.write(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
    }
    await file.sync();
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  await rename(part, to);
  terminal.result({ dataset: refOf(dataset), keys, file: to }, () =>
    terminal.say(`${keys} keys of ${keyOf(dataset)} are in ${to}`),
  );
  terminal.next(`skerry data copy ${keyOf(dataset)} --from ${to}`);
}

async function* pages(session: Session, dataset: Dataset, at: AtSite): AsyncGenerator<DatasetEntry[]> {
  let after: string | undefined;
  do {
    const from = after === undefined ? {} : { after };
    const answer = await ask(session, { verb: 'list', ...refOf(dataset), ...from, limit: PAGE }, at);
    if (!('entries' in answer)) throw new CommandFailed(EXIT.failed, 'the site answered something else');
    // What was seen of others means nothing in another dataset, and what other areas hold is not what this one does.
    yield answer.entries.flatMap(({ context: _context, elsewhere: _elsewhere, area: _area, ...entry }) =>
      Object.keys(entry).length > 1 ? [entry] : [],
    );
    after = answer.next;
    if (session.signal.aborted) throw new CommandFailed(EXIT.interrupted, 'not copied to its end');
  } while (after !== undefined);
}

async function copyIn(session: Session, dataset: Dataset, from: string, at: AtSite): Promise<void> {
  const { terminal, signal } = session;
  const lines = linesOf(from === STREAM ? session.stdin : createReadStream(from), from);
  const failing = new AbortController();
  let done = 0;
  const putting = async () => {
    try {
      for (
        let next = await lines.next();
        next.done !== true && !failing.signal.aborted;
        next = await lines.next()
      ) {
        if (signal.aborted) throw new CommandFailed(EXIT.interrupted, 'not copied to its end');
        for (const operation of writesOf(dataset, entryOf(next.value))) await ask(session, operation, at);
        done += 1;
      }
    } catch (error) {
      failing.abort();
      throw error;
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, putting));
  } catch (error) {
    terminal.note(`${done} keys were written before this`);
    throw error;
  }
  terminal.result({ dataset: refOf(dataset), keys: done, file: from }, () =>
    terminal.say(`${done} keys are written to ${keyOf(dataset)}`),
  );
  terminal.next(`skerry data verify ${keyOf(dataset)}`);
}

interface Line {
  text: string;
  number: number;
}

/** Lines that are not empty, with their numbers. */
async function* linesOf(input: NodeJS.ReadableStream, name: string): AsyncGenerator<Line, void> {
  const decoder = new TextDecoder();
  let [rest, number] = ['', 0];
  const cut = function* (texts: readonly string[]): Generator<Line> {
    for (const text of texts) {
      number += 1;
      if (text.trim() !== '') yield { text, number };
    }
  };
  try {
    for await (const chunk of input) {
      const texts = (rest + decoder.decode(Buffer.from(chunk), { stream: true })).split('\n');
      rest = texts.pop() ?? '';
      yield* cut(texts);
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CommandFailed(EXIT.usage, `${name} cannot be read: ${why}`);
  }
  yield* cut([rest]);
}

function entryOf({ text, number }: Line): DatasetEntry {
  const parsed = parse(datasetEntrySchema, json(text, number));
  if (parsed.ok) return parsed.value;
  const [issue] = parsed.issues;
  throw noEntry(number, `${issue?.path ?? ''} ${issue?.problem ?? ''}`);
}

function json(text: string, number: number): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw noEntry(number, 'no JSON');
  }
}

function noEntry(number: number, why: string): CommandFailed {
  return new CommandFailed(
    EXIT.usage,
    `line ${number} is no entry: ${why}`,
    'a line is {"key": TEXT} with value, values, number or elements, as `data copy --to` writes it',
  );
}

function writesOf(dataset: Dataset, entry: DatasetEntry): DatasetOperation[] {
  const { key, value, values, number, elements } = entry;
  const at = { ...refOf(dataset), key };
  if (number !== undefined) return [{ verb: 'count', ...at, by: number }];
  if (elements !== undefined) return inParts(elements).map((add) => ({ verb: 'change', ...at, add }));
  // Side by side, as they were.
  return (values ?? (value === undefined ? [] : [value])).map((v) => ({ verb: 'put', ...at, value: v }));
}

function inParts(elements: readonly string[]): string[][] {
  const size = LIMITS.elementsPerWrite;
  return Array.from({ length: Math.ceil(elements.length / size) }, (_, i) =>
    elements.slice(i * size, (i + 1) * size),
  );
}
