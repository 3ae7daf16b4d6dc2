import { setTimeout as pause } from 'node:timers/promises';
import { S3mini, S3ServiceError } from 's3mini';
import type { Target } from './target.js';
import { BackupTrouble } from './trouble.js';

const TRIES = 4;
const RETRY_MS = 250;
const REQUEST_MS = 60_000;
const TYPE = 'application/octet-stream';
const DEFAULT_REGION = 'us-east-1';

/** Where an S3-compatible store is and who asks, from the variables that its other tools read. */
export interface S3Access {
  /** Address of the store without the bucket. */
  endpoint: string;
  region: string;
  accessKeyId: string;
  secretAccessKey: string;
}

/** Reads `AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`. Throws, naming what is missing. */
export function s3AccessIn(env: NodeJS.ProcessEnv): S3Access {
  const names = ['AWS_ENDPOINT_URL', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] as const;
  const [endpoint = '', accessKeyId = '', secretAccessKey = ''] = names.map((name) => env[name] ?? '');
  const missing = names.filter((name) => (env[name] ?? '') === '');
  if (missing.length > 0)
    throw new BackupTrouble(`for s3:// the environment lacks ${missing.join(', ')}`, HINT);
  return { endpoint, accessKeyId, secretAccessKey, region: env['AWS_REGION'] ?? DEFAULT_REGION };
}

const HINT =
  'AWS_ENDPOINT_URL is the address without the bucket, as https://s3.example.org; AWS_REGION is us-east-1 unless said';

/** A bucket of an S3-compatible store, below a prefix. Tries again what the network or a busy store refused. */
export class S3Target implements Target {
  private readonly client: S3mini;
  private readonly prefix: string;

  constructor(
    readonly place: string,
    { bucket, prefix }: { bucket: string; prefix: string },
    { endpoint, ...access }: S3Access,
  ) {
    this.prefix = prefix === '' ? '' : `${prefix}/`;
    const url = `${endpoint.replace(/\/+$/, '')}/${bucket}`;
    this.client = new S3mini({ ...access, endpoint: url, requestAbortTimeout: REQUEST_MS });
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    await this.tried(
      `write ${name}`,
      async () => await this.client.putObject(this.prefix + name, bytes, TYPE),
    );
  }

  async get(name: string): Promise<Uint8Array | undefined> {
    const found = await this.tried(
      `read ${name}`,
      async () => await this.client.getObjectArrayBuffer(this.prefix + name),
    );
    return found === null ? undefined : new Uint8Array(found);
  }

  async remove(name: string): Promise<void> {
    await this.tried(`remove ${name}`, async () => await this.client.deleteObject(this.prefix + name));
  }

  async list(prefix: string): Promise<string[]> {
    // The delimiter is asked for and not sent: all names below the prefix come, a thousand in each answer.
    const found = await this.tried(
      `list ${prefix}`,
      async () => await this.client.listObjects('/', this.prefix + prefix),
    );
    if (found === null) throw this.noBucket();
    return found.map(({ Key }) => Key.slice(this.prefix.length)).toSorted();
  }

  private async tried<T>(what: string, ask: () => Promise<T>): Promise<T> {
    for (let n = 1; ; n += 1) {
      try {
        return await ask();
      } catch (error) {
        if (n === TRIES || !mayPass(error)) throw this.trouble(what, error);
        await pause(RETRY_MS * 2 ** n);
      }
    }
  }

  /** Names the place and what it said; never who asked. */
  private trouble(what: string, error: unknown): BackupTrouble {
    if (!(error instanceof S3ServiceError)) {
      const why = error instanceof Error ? error.message : String(error);
      return new BackupTrouble(`${this.place}: ${what}: it does not answer: ${why}`, HINT);
    }
    if (error.serviceCode === 'NoSuchBucket') return this.noBucket();
    const said = `it answers ${error.status} ${error.serviceCode ?? ''}`.trim();
    return new BackupTrouble(`${this.place}: ${what}: ${said}`, hintFor(error));
  }

  private noBucket(): BackupTrouble {
    return new BackupTrouble(
      `${this.place}: there is no such bucket`,
      'make the bucket first, or name another',
    );
  }
}

/** A store that wants another region says which; one that knows the keys, and does not let them do it, says so. */
function hintFor({ status, serviceCode, body }: S3ServiceError): string {
  const region = /<Region>([a-z0-9-]+)<\/Region>/.exec(body ?? '')?.[1];
  if (region !== undefined) return `the store is in another region: AWS_REGION=${region}`;
  if (serviceCode === 'AccessDenied') return 'these keys may not do that there';
  if (status === 401 || status === 403) return 'look at AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY';
  return HINT;
}

/** Whether asking again may help: no answer at all, or one that says that the store is busy or unwell. */
function mayPass(error: unknown): boolean {
  if (!(error instanceof S3ServiceError)) return true;
  return error.status === 429 || error.status >= 500;
}
