import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import {
  LIMITS,
  type Dataset,
  type ObjectAnswer,
  type ObjectEntry,
  type ObjectOperation,
} from '@skerry/contracts';
import { CommandFailed, EXIT } from '../exit-codes.js';
import { keyOf } from '../names.js';
import { plain } from '../output/terminal.js';
import { find, listDatasets, refOf, type AtSite } from './datasets.js';
import type { Session } from './session.js';

/** A file that goes into a dataset of objects, or comes out of one. */
export interface FileOptions extends AtSite {
  file: string;
  contentType?: string;
}

/** Keys in one page of a list. */
const PAGE = 200;
const PLAIN = 'application/octet-stream';

/**
 * `skerry data put DATASET KEY --file PATH`: piece by piece; called again after it was cut off it goes on where it was. The object is
 * there with its last piece.
 */
export async function putFile(
  session: Session,
  [name, key]: readonly [string, string],
  { file, at, contentType = PLAIN }: FileOptions,
): Promise<void> {
  const { terminal } = session;
  const dataset = await find(session, name);
  const size = await sizeOf(file);
  const digest = await terminal.during(`reading ${file}`, digestOf(file));
  // The same file on its way to the same key is the same upload.
  const upload = createHash('sha256').update(`${digest} ${key}`).digest('hex').slice(0, 32);
  const of = { ...refOf(dataset), upload };
  const begun = receivedIn(await ask(session, { verb: 'begin', ...of, size }, at));
  let sent = begun.received;
  const progress = () => `sending ${file}: ${percentOf(sent, size)}`;
  await terminal.during(progress, send());
  const finish: ObjectOperation = { verb: 'finish', ...of, key, digest, contentType };
  const object = objectIn(await terminal.during('the site takes it in', ask(session, finish, begun.site)));
  terminal.result(object, () => terminal.say(`${plain(key)}\t${object.size} bytes\t${object.digest}`));
  terminal.next(
    `skerry data where ${keyOf(dataset)} ${key}`,
    `skerry data get ${keyOf(dataset)} ${key} --file PATH`,
  );

  async function send(): Promise<void> {
    const handle = await open(file, 'r');
    try {
      while (sent < size && !session.signal.aborted) {
        const { buffer, bytesRead } = await handle.read(
          Buffer.alloc(LIMITS.objectPieceBytes),
          0,
          undefined,
          sent,
        );
        if (bytesRead === 0) throw new CommandFailed(EXIT.failed, `${file} became shorter while it was read`);
        const bytes = buffer.subarray(0, bytesRead).toString('base64');
        const answer = await ask(session, { verb: 'piece', ...of, offset: sent, bytes }, begun.site);
        sent = receivedIn(answer).received;
      }
    } finally {
      await handle.close();
    }
  }
}

/** `skerry data get DATASET KEY --file PATH`: the file is there when all of it has come and is what was written. */
export async function getFile(
  session: Session,
  [name, key]: readonly [string, string],
  { file, at }: FileOptions,
): Promise<void> {
  const { terminal } = session;
  const dataset = await find(session, name);
  const draft = `${file}.${randomBytes(4).toString('hex')}.part`;
  let object: ObjectEntry | undefined;
  let got = 0;
  const progress = () => `reading ${key}: ${percentOf(got, object?.size ?? 0)}`;
  try {
    object = await terminal.during(progress, receive());
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  const { size, digest } = object;
  terminal.result({ ...object, file }, () => terminal.say(`${file}\t${size} bytes\t${digest}`));
  terminal.next(`skerry data where ${keyOf(dataset)} ${key}`);

  async function receive(): Promise<ObjectEntry> {
    const whole = createHash('sha256');
    const handle = await open(draft, 'wx', 0o600);
    try {
      for (;;) {
        session.signal.throwIfAborted();
        const same = object === undefined ? {} : { digest: object.digest };
        const asked = { verb: 'read' as const, ...refOf(dataset), key, offset: got, ...same };
        const answer = await ask(session, asked, at);
        if (!('bytes' in answer)) throw strange();
        const bytes = Buffer.from(answer.bytes, 'base64');
        whole.update(bytes);
        await handle.write(bytes);
        got += bytes.length;
        ({ object } = answer);
        if (got >= object.size) break;
        if (bytes.length === 0) throw strange();
      }
    } finally {
      await handle.close();
    }
    if (`sha256:${whole.digest('hex')}` === object.digest) return object;
    throw new CommandFailed(EXIT.failed, `what came is not ${object.digest}`, 'try again');
  }
}

/** `skerry data ls [DATASET]`: of a dataset of objects how each stands here, else as any. */
export async function listAny(
  session: Session,
  name: string | undefined,
  options: AtSite & { prefix?: string },
): Promise<void> {
  const dataset = name === undefined ? undefined : await find(session, name);
  if (dataset?.spec.type === 'objects') await listObjects(session, dataset, options);
  else await listDatasets(session, name, options);
}

async function listObjects(
  session: Session,
  dataset: Dataset,
  { at, prefix }: { at?: string | undefined; prefix?: string | undefined },
): Promise<void> {
  const { terminal } = session;
  const rows: string[][] = [];
  let after: string | undefined;
  do {
    const page = { ...(prefix === undefined ? {} : { prefix }), ...(after === undefined ? {} : { after }) };
    const answer = await ask(session, { verb: 'list', ...refOf(dataset), ...page, limit: PAGE }, at);
    if (!('objects' in answer)) throw strange();
    for (const object of answer.objects) {
      if (terminal.json) terminal.result(object, () => undefined);
      else
        rows.push([
          plain(object.key),
          String(object.size),
          hereOf(object),
          plain(object.contentType),
          object.at ?? '-',
        ]);
    }
    after = answer.next;
  } while (after !== undefined && !session.signal.aborted);
  terminal.table(['KEY', 'BYTES', 'COMPLETE', 'TYPE', 'WRITTEN'], rows);
  if (rows.length === 0) terminal.note('no objects');
  terminal.next(`skerry data where ${keyOf(dataset)}`, `skerry data put ${keyOf(dataset)} KEY --file PATH`);
}

/** `skerry data where DATASET KEY`: at which sites an object is whole, and by which rule. */
export async function whereIsObject(session: Session, [name, key]: readonly [string, string]): Promise<void> {
  const { client, terminal } = session;
  const dataset = await find(session, name);
  const where = await terminal.during(
    'asking the sites',
    client.objectWhere(dataset.project, dataset.name, key),
  );
  terminal.result(where, () => {
    terminal.say(`${plain(key)} of ${keyOf(dataset)}: ${where.rule}`);
    terminal.table(
      ['SITE', 'IN', 'BYTES', 'COMPLETE', 'DIGEST', 'TROUBLE'],
      where.copies.map(({ site, jurisdictions, object, problem }) => [
        site,
        jurisdictions.join(', ') || '-',
        object === undefined ? '?' : String(object.size),
        object === undefined ? '?' : hereOf(object),
        object?.digest ?? '?',
        plain(problem ?? ''),
      ]),
    );
    if (where.without.length === 0) return;
    terminal.say();
    terminal.table(
      ['NOT AT', 'WHY'],
      where.without.map(({ site, why }) => [site, plain(why)]),
    );
  });
  terminal.next(`skerry data get ${keyOf(dataset)} ${key} --file PATH`);
}

async function ask(
  { client, signal }: Session,
  operation: ObjectOperation,
  at: string | undefined,
): Promise<ObjectAnswer> {
  return await client.askObject(operation, { signal, ...(at === undefined ? {} : { site: at }) });
}

function hereOf({ complete, haveBytes, size, older }: ObjectEntry): string {
  if (complete) return 'yes';
  return `${percentOf(haveBytes, size)}${older === undefined ? '' : ', the one before is read'}`;
}

function percentOf(part: number, all: number): string {
  return `${all === 0 ? 0 : Math.floor((part * 100) / all)} %`;
}

function receivedIn(answer: ObjectAnswer) {
  if ('received' in answer) return answer;
  throw strange();
}

function objectIn(answer: ObjectAnswer): ObjectEntry {
  if ('object' in answer) return answer.object;
  throw strange();
}

function strange(): CommandFailed {
  return new CommandFailed(EXIT.failed, 'the site answered something else');
}

async function sizeOf(file: string): Promise<number> {
  const found = await stat(file).catch(() => undefined);
  if (found?.isFile() === true) return found.size;
  throw new CommandFailed(EXIT.usage, `${file} is no file that can be read`);
}

async function digestOf(file: string): Promise<string> {
  const whole = createHash('sha256');
  for await (const part of createReadStream(file)) whole.update(part);
  return `sha256:${whole.digest('hex')}`;
}
