import { dirname, join } from 'node:path';
import { BackupTrouble, parseKeyText } from '@skerry/backup';
import { connectBus, Forbidden, StorageFull, Unavailable, type Bus } from '@skerry/bus';
import { inboxPrefix } from '@skerry/contracts';
import { isThere, readPrivateFile } from '@skerry/identity';
import { loadContext, type Context } from '../context-file.js';
import { CommandFailed, EXIT } from '../exit-codes.js';
import type { GlobalOptions } from '../program.js';
import type { HubFlags, StoreFlags } from './backup.js';

const CONNECT_MS = 10_000;
const NO_KEY =
  'skerry backup key FILE makes one; then --key-file FILE, or the variable SKERRY_BACKUP_KEY_FILE';

/** The key, from a file or the environment: never from an argument, which every user of the machine can read. */
export async function keyFor({ keyFile }: StoreFlags): Promise<Buffer> {
  if (keyFile !== undefined && !(await isThere(keyFile)))
    throw new CommandFailed(EXIT.usage, `there is no key file ${keyFile}`, NO_KEY);
  if (keyFile !== undefined) return parseKeyText(await readPrivateFile(keyFile), keyFile);
  const text = process.env['SKERRY_BACKUP_KEY'];
  if (text !== undefined && text !== '') return parseKeyText(text, 'SKERRY_BACKUP_KEY');
  throw new CommandFailed(EXIT.usage, 'no key is given, and backups are always encrypted', NO_KEY);
}

export interface HubAccess {
  globals: GlobalOptions;
  flags: HubFlags;
  user: 'backup' | 'restore';
}

/** Does work with a connection to the hub's servers: not by way of the api, which may be what is to be brought back. */
export async function withHub<T>(access: HubAccess, work: (bus: Bus) => Promise<T>): Promise<T> {
  const { user } = access;
  const bus = await connectBus({
    ...(await addressOf(access)),
    name: `skerry ${user}`,
    firstConnectMs: CONNECT_MS,
  });
  try {
    return await work(bus);
  } finally {
    await bus.close();
  }
}

async function addressOf({ globals, flags, user }: HubAccess) {
  const context = flags.nats !== undefined && flags.creds !== undefined ? {} : contextOf(globals);
  const servers = (flags.nats ?? context.natsUrl ?? '').split(',').filter(Boolean);
  if (servers.length === 0)
    throw new CommandFailed(
      EXIT.usage,
      'the context names no servers of the hub',
      'name them with --nats HOST:PORT',
    );
  const beside = context.operatorCreds && join(dirname(context.operatorCreds), `${user}.creds`);
  const credsFile = flags.creds ?? beside;
  if (credsFile === undefined || !(await isThere(credsFile)))
    throw new CommandFailed(
      EXIT.usage,
      `there are no credentials of the user ${user}${credsFile === undefined ? '' : ` at ${credsFile}`}`,
      `name them with --creds; founding the hub has made creds/${user}.creds (deploy/hub/README.md)`,
    );
  await readPrivateFile(credsFile);
  const caFile = flags.ca ?? context.natsCa;
  const prefix = inboxPrefix(user);
  return { servers, credsFile, inboxPrefix: prefix, ...(caFile === undefined ? {} : { caFile }) };
}

function contextOf({ context, url }: GlobalOptions): Partial<Context> {
  const given = { ...(context === undefined ? {} : { context }), ...(url === undefined ? {} : { url }) };
  return loadContext(given, process.env, process.cwd());
}

/** What went wrong as a person reads it. */
export function told(error: unknown): never {
  if (error instanceof BackupTrouble)
    throw new CommandFailed(EXIT.failed, error.message, error.hint, error.lines);
  if (error instanceof Unavailable)
    throw new CommandFailed(
      EXIT.unreachable,
      `the hub does not answer: ${error.message}`,
      'is one of its servers running? name it with --nats HOST:PORT',
    );
  if (error instanceof Forbidden)
    throw new CommandFailed(
      EXIT.unauthorized,
      error.message,
      'backup.creds may read, restore.creds may write: name the right ones with --creds',
    );
  if (error instanceof StorageFull)
    throw new CommandFailed(EXIT.failed, error.message, 'make room, then restore again with --force');
  throw error;
}
