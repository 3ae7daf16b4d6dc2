import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type ApplyBody, type DocumentSource, LIMITS } from '@skerry/contracts';
import { CommandFailed, EXIT } from './exit-codes.js';

const DOCUMENTS = /\.(?:ya?ml|json)$/i;

/**
 * The texts of files, folders (their `*.yaml`, `*.yml` and `*.json` in the order of names, not those below) and `-`
 * for standard input, as one command. Throws `CommandFailed` for what cannot be read or is over a limit.
 */
export async function readSources(paths: readonly string[], stdin: NodeJS.ReadStream): Promise<ApplyBody> {
  const sources: DocumentSource[] = [];
  for (const path of paths) {
    if (path === '-') sources.push({ name: 'stdin', text: await readStdin(stdin) });
    else sources.push(...filesOf(path).map((file) => ({ name: nameOf(file), text: readText(file) })));
  }
  if (sources.length > LIMITS.documentsPerCommand) {
    throw tooLarge(
      `${sources.length} files`,
      `at most ${LIMITS.documentsPerCommand} (limit documentsPerCommand)`,
    );
  }
  const bytes = sources.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
  if (bytes > LIMITS.documentBytes)
    throw tooLarge(`${bytes} bytes`, `at most ${LIMITS.documentBytes} (limit documentBytes)`);
  return { sources };
}

function filesOf(path: string): string[] {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) throw new CommandFailed(EXIT.usage, `there is no file or folder ${path}`);
  if (!stat.isDirectory()) return [path];
  const names = readdirSync(path).filter((name) => DOCUMENTS.test(name));
  if (names.length === 0) {
    throw new CommandFailed(
      EXIT.usage,
      `folder ${path} holds no document`,
      'documents end in .yaml, .yml or .json',
    );
  }
  return names.toSorted().map((name) => join(path, name));
}

function readText(path: string): string {
  try {
    const { size } = statSync(path);
    if (size > LIMITS.documentBytes)
      throw tooLarge(`${path} has ${size} bytes`, `at most ${LIMITS.documentBytes} (limit documentBytes)`);
    return decoded(readFileSync(path), path);
  } catch (cause) {
    if (cause instanceof CommandFailed) throw cause;
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new CommandFailed(EXIT.usage, `${path} cannot be read (${why})`);
  }
}

function decoded(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new CommandFailed(EXIT.failed, `${name} is no UTF-8 text`, 'save it as UTF-8; nothing was applied');
  }
}

async function readStdin(stdin: NodeJS.ReadStream): Promise<string> {
  if (stdin.isTTY)
    throw new CommandFailed(
      EXIT.usage,
      'nothing is piped into standard input',
      'skerry apply -f - < web.yaml',
    );
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stdin) {
    const part = Buffer.from(chunk);
    bytes += part.byteLength;
    if (bytes > LIMITS.documentBytes)
      throw tooLarge('standard input', `at most ${LIMITS.documentBytes} bytes (limit documentBytes)`);
    chunks.push(part);
  }
  return decoded(Buffer.concat(chunks), 'standard input');
}

/** Files of a folder keep their short names: errors name them, and paths tell more than they need to. */
function nameOf(path: string): string {
  return basename(path).slice(0, 255);
}

function tooLarge(what: string, allowed: string): CommandFailed {
  return new CommandFailed(
    EXIT.failed,
    `too large: ${what}; ${allowed}`,
    'apply less at once; nothing was applied',
  );
}
