import { NKey } from './nkey.js';
import { readPrivateFile, writePrivateFile } from './private-file.js';

/** What a user logs in with. The seed is a secret. */
export interface Creds {
  jwt: string;
  seed: string;
}

const JWT_BLOCK = /^-{3,}BEGIN NATS USER JWT-{3,}\s+(\S+)\s+-{3,}END NATS USER JWT-{3,}/m;
const SEED_BLOCK = /^-{3,}BEGIN USER NKEY SEED-{3,}\s+(\S+)\s+-{3,}END USER NKEY SEED-{3,}/m;

/** The text of a NATS `.creds` file, which nats-server, every client and the `nats` CLI read. */
export function credsText(jwt: string, user: NKey): string {
  return [
    '-----BEGIN NATS USER JWT-----',
    jwt,
    '------END NATS USER JWT------',
    '',
    '************************* IMPORTANT *************************',
    'The seed below is a secret: whoever has it is this user.',
    '',
    '-----BEGIN USER NKEY SEED-----',
    user.seed(),
    '------END USER NKEY SEED------',
    '',
  ].join('\n');
}

/** Reads a creds text. Throws, without quoting it, when a part is missing or the seed is not a user's. */
export function parseCreds(text: string): Creds {
  const jwt = JWT_BLOCK.exec(text)?.[1];
  const seed = SEED_BLOCK.exec(text)?.[1];
  if (jwt === undefined) throw new Error('the creds hold no NATS USER JWT block');
  if (seed === undefined) throw new Error('the creds hold no USER NKEY SEED block');
  if (NKey.fromSeed(seed).type !== 'user') throw new Error('the seed in the creds is not that of a user');
  return { jwt, seed };
}

/** Writes a creds file with mode 0600, whole or not at all. A running leaf server reads it at its next connect. */
export async function writeCreds(path: string, jwt: string, user: NKey): Promise<void> {
  await writePrivateFile(path, credsText(jwt, user));
}

/** Reads a creds file; refuses one that its group or others may read, or that is damaged, naming the file. */
export async function readCreds(path: string): Promise<Creds> {
  const text = await readPrivateFile(path);
  try {
    return parseCreds(text);
  } catch (cause) {
    throw new Error(`read ${path}: ${cause instanceof Error ? cause.message : 'damaged'}`, { cause });
  }
}

/** Writes a key's seed with mode 0600, whole or not at all. */
export async function writeSeed(path: string, key: NKey): Promise<void> {
  await writePrivateFile(path, `${key.seed()}\n`);
}

/** Reads a key from a seed file; refuses one that its group or others may read. */
export async function readSeed(path: string): Promise<NKey> {
  const text = await readPrivateFile(path);
  try {
    return NKey.fromSeed(text);
  } catch (cause) {
    throw new Error(`read ${path}: ${cause instanceof Error ? cause.message : 'damaged'}`, { cause });
  }
}
