import { createInterface } from 'node:readline';
import {
  LIMITS,
  type Dataset,
  type LogAnswer,
  type LogItem,
  type LogOperation,
  type Tailed,
} from '@skerry/contracts';
import { following, type Reached } from '@skerry/domain';
import { CommandFailed, EXIT } from '../exit-codes.js';
import { keyOf } from '../names.js';
import { plain } from '../output/terminal.js';
import { find, refOf, type AtSite } from './datasets.js';
import type { Session } from './session.js';

const WATCH_MS = 5_000;
const RETRY_MS = 1_000;

/** `skerry data append DATASET [VALUE]`: one entry, or one for each line of standard input. */
export async function appendEntries(
  session: Session,
  [name, value]: readonly [string, string | undefined],
  at: AtSite,
): Promise<void> {
  const { terminal } = session;
  const dataset = await find(session, name);
  const sum = { appended: 0, kept: 0 };
  for await (const values of batchesOf(session, value)) {
    const answer = await ask(session, { verb: 'append', ...refOf(dataset), values }, at);
    if (!('appended' in answer)) throw new CommandFailed(EXIT.failed, 'something else was answered');
    sum.appended += answer.appended;
    sum.kept += answer.kept;
  }
  terminal.result(sum, () => terminal.say(appended(sum)));
  terminal.next(`skerry data tail ${keyOf(dataset)}`);
}

export interface TailOptions extends AtSite {
  site?: string;
  follow?: boolean;
  /** How long ago, ms. */
  since?: number;
  lines: number;
}

/** `skerry data tail DATASET`: the newest entries, or those since; with `follow` also those to come, until Ctrl-C. */
export async function tailEntries(session: Session, name: string, options: TailOptions): Promise<void> {
  const { terminal, signal } = session;
  const dataset = await find(session, name);
  const { site, follow = false, since: agoMs, lines } = options;
  const only = site === undefined ? {} : { site };
  const fromMs = agoMs === undefined ? {} : { fromMs: Date.now() - agoMs };
  let page = await read(session, { ...only, ...fromMs, limit: lines, waitMs: 0 }, { dataset, at: options });
  const reader = new Reader(session);
  reader.show(page);
  for (let goesOn = page.more || follow; goesOn && !signal.aborted; goesOn = page.more || follow) {
    const asked = { ...only, ...fromMs, since: page.since, limit: PAGE, waitMs: page.more ? 0 : WATCH_MS };
    // Who follows waits for a centre, or a site, that is away.
    const next = await read(session, asked, { dataset, at: options }).catch(async (error: unknown) => {
      if (signal.aborted) return undefined;
      if (!follow) throw error;
      await new Promise((go) => setTimeout(go, RETRY_MS));
      return page;
    });
    if (next === undefined) return;
    if (next === page) continue;
    page = next;
    reader.show(page);
  }
  if (!reader.some) terminal.note('no entries');
  terminal.next(`skerry data tail ${keyOf(dataset)} --follow`, `skerry data where ${keyOf(dataset)}`);
}

const PAGE = 500;

function appended({ appended: all, kept }: { appended: number; kept: number }): string {
  const entries = all === 1 ? '1 entry' : `${all} entries`;
  return kept === all
    ? `${entries} appended`
    : `${entries} taken, ${kept} kept by the rule of the edge so far`;
}

async function* batchesOf({ stdin }: Session, value: string | undefined): AsyncGenerator<string[]> {
  if (value !== undefined && value !== '-') return yield [value];
  if (stdin.isTTY)
    throw new CommandFailed(EXIT.usage, 'what shall be appended? a value, or lines on standard input');
  let batch: string[] = [];
  let bytes = 0;
  for await (const line of createInterface({ input: stdin })) {
    if (line === '') continue;
    bytes += Buffer.byteLength(line);
    if (batch.length > 0 && (batch.length === LIMITS.valuesPerAppend || bytes > LIMITS.recordsBytes / 2)) {
      yield batch;
      [batch, bytes] = [[], Buffer.byteLength(line)];
    }
    batch.push(line);
  }
  if (batch.length > 0) yield batch;
}

async function read(
  session: Session,
  asked: { since?: string; fromMs?: number; site?: string; limit: number; waitMs: number },
  { dataset, at }: { dataset: Dataset; at: AtSite },
): Promise<Tailed> {
  const answer = await ask(session, { verb: 'tail', ...refOf(dataset), ...asked }, at);
  if ('items' in answer) return answer;
  throw new CommandFailed(EXIT.failed, 'something else was answered');
}

async function ask(
  { client, terminal, signal }: Session,
  operation: LogOperation,
  { at }: AtSite,
): Promise<LogAnswer> {
  const asked = client.askLog(operation, { signal, ...(at === undefined ? {} : { site: at }) });
  return operation.verb === 'tail' && operation.waitMs > 0
    ? await asked
    : await terminal.during('asking', asked);
}

/** Shows entries as they come, and tells of those that are missing between them. */
class Reader {
  some = false;
  private reached: Reached = {};

  constructor(private readonly session: Session) {}

  show({ items, lost }: Tailed): void {
    const { terminal } = this.session;
    if (lost === true) terminal.note('what lay between is kept no more');
    const read = following(this.reached, items, { fresh: !this.some });
    this.reached = read.reached;
    this.some ||= read.items.length > 0;
    for (const item of read.items)
      terminal.result(jsonOf(item), () => terminal.say(textOf(item, terminal.colours.dim)));
  }
}

/** An entry for programs. A gap says which of whose entries there are no more. */
export function jsonOf(item: LogItem): object {
  if ('gap' in item) {
    const [site, store] = item.gap.origin.split('.');
    return { gap: { site, store, from: item.gap.from, to: item.gap.to } };
  }
  const [site, store] = item.origin.split('.');
  const { number, value, area } = item;
  const of = area === undefined ? {} : { area };
  return { site, store, number, at: new Date(item.at).toISOString(), value, ...of };
}

/** An entry for people. */
export function textOf(item: LogItem, dim: (text: string) => string): string {
  if ('gap' in item) {
    const { origin, from, to } = item.gap;
    const [site = ''] = origin.split('.');
    return dim(`${site}: entries ${from} to ${to} are kept no more`);
  }
  const [site = ''] = item.origin.split('.');
  // Of another area only what may be known here.
  const of = item.area === undefined ? '' : ` (of ${item.area})`;
  return `${dim(`${new Date(item.at).toISOString()} ${site}${of}`)}\t${plain(item.value)}`;
}
