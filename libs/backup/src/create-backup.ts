import { randomBytes } from 'node:crypto';
import type { Bus } from '@skerry/bus';
import { datasetSchema, EPOCH_KEY, bucketSubject, BUCKETS, type Dataset } from '@skerry/contracts';
import { z } from 'zod';
import type { BackupStore } from './backup-store.js';
import { Cutter, type StoredEntry } from './entries.js';
import { IDENTITY, keepIdentity } from './identity-files.js';
import { stateOf } from './led.js';
import type { Manifest, NounPart } from './manifest.js';
import { NOUNS, type Noun } from './nouns.js';
import { readStream } from './read-stream.js';
import { BackupTrouble } from './trouble.js';
import { inTurn } from './turns.js';

export interface CreateOptions {
  /** Also what happened: events, decisions and their inputs, dead letters, sites' journals. */
  history: boolean;
  /** Datasets whose records are to be in it, `<project>/<name>`; `all` but those that may not rest here. */
  datasets: readonly string[] | 'all';
  /** Folder of the cloud's keys, to be in it too; without the operator's own. */
  identity?: string;
  /** Jurisdictions of the place that backups are kept at, where they are known. */
  jurisdictions: readonly string[];
  now?: () => Date;
  onProgress?: (line: string) => void;
}

const termSchema = z.looseObject({
  term: z.number().int().min(1).optional(),
  version: z.looseObject({ term: z.number().int().min(1) }).optional(),
});

/**
 * Reads the hub's buckets and streams of record into a backup. Each is read at one moment, and whoever names others before those
 * that it names: what the backup holds never names something newer than it has. Changes nothing at the hub.
 */
export async function createBackup(bus: Bus, store: BackupStore, options: CreateOptions): Promise<Manifest> {
  return await inTurn(store.target, 'making', async () => await create(bus, store, options));
}

async function create(bus: Bus, store: BackupStore, options: CreateOptions): Promise<Manifest> {
  const began = (options.now ?? (() => new Date()))();
  const choice = await chooseDatasets(bus, options);
  const making = new Making(bus, store, options, choice.datasets);
  for (const noun of NOUNS) await making.take(noun);
  if (options.identity !== undefined) await making.takeIdentity(options.identity);
  if (making.parts.length === 0)
    throw new BackupTrouble(
      'there is nothing of Skerry on this hub',
      'name the hub with --nats, and credentials with --creds',
    );
  const manifest: Manifest = {
    format: 1,
    id: `${began.toISOString().replace(/[-:.]/g, '')}-${randomBytes(3).toString('hex')}`,
    createdAt: began.toISOString(),
    term: making.term,
    parts: making.parts,
    sequences: await sequencesOf(bus),
    ...choice,
    added: making.added,
  };
  await store.finish(manifest);
  return manifest;
}

/** Where records, entries and chunks of a dataset lie. */
const OF_DATASETS = ['rep', 'log', 'chunk'] as const;

class Making {
  readonly parts: NounPart[] = [];
  readonly added = { chunks: 0, bytes: 0 };
  term = 1;
  private readonly prefixes: readonly string[];

  constructor(
    private readonly bus: Bus,
    private readonly store: BackupStore,
    private readonly options: CreateOptions,
    datasets: readonly string[],
  ) {
    this.prefixes = datasets.flatMap((name) => OF_DATASETS.map((of) => `${of}.${name.replace('/', '.')}.`));
  }

  async take(noun: Noun): Promise<void> {
    if (!this.isWanted(noun)) return;
    this.options.onProgress?.(`reading ${noun.name}`);
    const cutter = new Cutter(noun.layout);
    const part = { entries: 0, bytes: 0, chunks: [] as string[] };
    const take = async (entry: StoredEntry) => {
      part.entries += 1;
      part.bytes += entry.body.length;
      if (noun.name === BUCKETS.placements.name) this.term = Math.max(this.term, termIn(entry));
      await this.keep(cutter.add(entry), part.chunks);
    };
    const wanted = (subject: string) =>
      noun.kept !== 'datasets' || this.prefixes.some((prefix) => subject.startsWith(prefix));
    const moment = await readStream(this.bus, noun, { wanted, take });
    if (moment === undefined) return;
    await this.keep(cutter.end(), part.chunks);
    this.parts.push({ name: noun.name, stream: noun.stream, ...moment, ...part });
  }

  /** After all that names sites: a key is made before its site is. */
  async takeIdentity(folder: string): Promise<void> {
    this.options.onProgress?.(`reading ${IDENTITY}`);
    this.parts.push(await keepIdentity(folder, async (chunk, names) => await this.keep(chunk, names)));
  }

  private isWanted({ kept }: Noun): boolean {
    switch (kept) {
      case 'always':
        return true;
      case 'history':
        return this.options.history;
      case 'datasets':
        return this.prefixes.length > 0;
      case 'never':
        return false;
    }
  }

  private async keep(chunk: StoredEntry[] | undefined, names: string[]): Promise<void> {
    if (chunk === undefined) return;
    const { name, addedBytes } = await this.store.add(chunk);
    names.push(name);
    this.added.chunks += addedBytes > 0 ? 1 : 0;
    this.added.bytes += addedBytes;
  }
}

/** Last sequences after everything was read. */
async function sequencesOf(bus: Bus): Promise<Record<string, number>> {
  const found = await Promise.all(
    NOUNS.map(async ({ stream }) => [stream, (await stateOf(bus, stream))?.lastSequence ?? 0] as const),
  );
  return Object.fromEntries(found.filter(([, last]) => last > 0));
}

/** The term of a placement, or of the mark of who may write them. */
function termIn({ body }: StoredEntry): number {
  const parsed = termSchema.safeParse(JSON.parse(Buffer.from(body).toString('utf8')));
  return parsed.success ? Math.max(parsed.data.term ?? 1, parsed.data.version?.term ?? 1) : 1;
}

/** Subject of the mark of who may write placements. */
export const EPOCH_SUBJECT = bucketSubject(BUCKETS.placements.name, EPOCH_KEY);

interface Choice {
  datasets: string[];
  leftOut: { dataset: string; why: string }[];
}

/** Which datasets' records are in it. Backups are a place too: what has to stay elsewhere is left out, or refused when named. */
async function chooseDatasets(bus: Bus, options: CreateOptions): Promise<Choice> {
  const { datasets: wanted, jurisdictions } = options;
  if (wanted !== 'all' && wanted.length === 0) return { datasets: [], leftOut: [] };
  const there = await datasetsAt(bus);
  const names = wanted === 'all' ? [...there.keys()].toSorted() : [...new Set(wanted)].toSorted();
  const choice: Choice = { datasets: [], leftOut: [] };
  for (const name of names) {
    const dataset = there.get(name);
    if (dataset === undefined)
      throw new BackupTrouble(`there is no dataset ${name}`, 'skerry data ls', [...there.keys()]);
    const why = whyNotHere(dataset, jurisdictions);
    if (why === undefined) choice.datasets.push(name);
    else choice.leftOut.push({ dataset: name, why });
  }
  if (wanted !== 'all' && choice.leftOut.length > 0)
    throw new BackupTrouble(
      'backups are a place too, and these datasets may not rest there',
      'say where the backups are kept with --in, as --in eu, or leave these datasets out',
      choice.leftOut.map(({ dataset, why }) => `${dataset}: ${why}`),
    );
  return choice;
}

async function datasetsAt(bus: Bus): Promise<Map<string, Dataset>> {
  const noun = NOUNS.find(({ name }) => name === BUCKETS.datasets.name);
  const there = new Map<string, Dataset>();
  const take = ({ body }: StoredEntry) => {
    const found = datasetSchema.safeParse(JSON.parse(Buffer.from(body).toString('utf8')));
    if (found.success && !found.data.removed)
      there.set(`${found.data.project}/${found.data.name}`, found.data);
  };
  if (noun !== undefined) await readStream(bus, noun, { take });
  return there;
}

function whyNotHere(
  { spec: { residency, encryption } }: Dataset,
  jurisdictions: readonly string[],
): string | undefined {
  // Of an encrypted one only its sites have the keys: what is in a backup is ciphertext.
  if (residency === undefined || encryption !== undefined) return undefined;
  const { stay, deny = [], origin = false } = residency;
  if (origin === true) return 'each record stays where it was written';
  if (jurisdictions.length === 0) return 'it has a residency rule, and where backups are kept is not said';
  // The records of every area are in a backup.
  const abroad = origin === false ? [] : origin.among.filter((area) => !jurisdictions.includes(area));
  if (abroad.length > 0)
    return `what is written in ${abroad.join(', ')} stays there, and backups are kept in ${jurisdictions.join(', ')}`;
  if (stay !== undefined && !jurisdictions.some((j) => stay.includes(j)))
    return `it stays in ${stay.join(', ')}, and backups are kept in ${jurisdictions.join(', ')}`;
  const denied = jurisdictions.filter((j) => deny.includes(j));
  return denied.length === 0 ? undefined : `it may not be in ${denied.join(', ')}`;
}
