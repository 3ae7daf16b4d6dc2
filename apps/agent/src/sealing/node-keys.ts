import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readSeed, type NKey } from '@skerry/identity';
import { z } from 'zod';
import { readJson, writeAtomic } from '../files/atomic-file.js';
import type { Log } from '../log.js';
import { rawOf } from './wrapped-key.js';

const OWN = 'sealing.json';
const PEERS = 'sealing-peers.json';
const ownSchema = z.strictObject({ privateKey: z.string() });
const peersSchema = z.record(z.string(), z.string());

/**
 * What this node opens keys with, and whom it believes. The private key is made here, lies in a file that only this user reads, and
 * goes nowhere. The nkey of another site is believed the first time; another one under its name is not, any more.
 */
export class NodeKeys {
  private constructor(
    private readonly folder: string,
    /** The nkey with which the site joined. */
    readonly site: NKey,
    readonly privateKey: KeyObject,
    private readonly peers: Map<string, string>,
    private readonly log: Log,
  ) {}

  static async open(at: { folder: string; seed: string; log: Log }): Promise<NodeKeys> {
    const site = await readSeed(at.seed);
    const privateKey = await ownKey(at.folder);
    const peers = peersSchema.safeParse(await readJson(join(at.folder, PEERS)));
    return new NodeKeys(at.folder, site, privateKey, new Map(Object.entries(peers.data ?? {})), at.log);
  }

  get publicKey(): string {
    return rawOf(createPublicKey(this.privateKey));
  }

  /** Whether this nkey is that of a site, as far as is known here; the first is written down. */
  async believes(site: string, identity: string): Promise<boolean> {
    const known = this.peers.get(site);
    if (known !== undefined) {
      if (known !== identity)
        this.log.error('a site has another nkey than it had: no key is given to it nor taken from it', {
          alarm: 'site-nkey-changed',
          site,
          file: join(this.folder, PEERS),
        });
      return known === identity;
    }
    this.log.info('keys of datasets are exchanged with a site for the first time', { site, identity });
    this.peers.set(site, identity);
    await writeAtomic(join(this.folder, PEERS), JSON.stringify(Object.fromEntries(this.peers)));
    return true;
  }
}

/** Opens them once, for all that is sealed at this node; again after that failed. */
export function nodeKeys(at: Parameters<typeof NodeKeys.open>[0]): () => Promise<NodeKeys> {
  let opened: Promise<NodeKeys> | undefined;
  return async () => {
    const opening = (opened ??= NodeKeys.open(at));
    return await opening.catch((error: unknown) => {
      if (opened === opening) opened = undefined;
      throw error;
    });
  };
}

async function ownKey(folder: string): Promise<KeyObject> {
  const path = join(folder, OWN);
  const kept = ownSchema.safeParse(await readJson(path));
  if (kept.success)
    return createPrivateKey({
      key: Buffer.from(kept.data.privateKey, 'base64'),
      format: 'der',
      type: 'pkcs8',
    });
  const { privateKey } = generateKeyPairSync('x25519');
  const text = privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeAtomic(path, JSON.stringify({ privateKey: text }));
  return privateKey;
}
