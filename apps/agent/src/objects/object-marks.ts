import { mkdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { datasetKeySchema, digestSchema, manifestSchema, type Manifest } from '@skerry/contracts';
import { z } from 'zod';
import { CopyLog } from '../datasets/copy-log.js';

const lineSchema = z.union([
  z.tuple([z.literal('here'), datasetKeySchema, manifestSchema]),
  z.tuple([z.literal('sent'), datasetKeySchema, digestSchema]),
  z.tuple([z.literal('gone'), datasetKeySchema]),
]);
type Line = z.infer<typeof lineSchema>;
/** The file is written anew when it has so many lines beyond what is in it. */
const SLACK = 1_000;

/**
 * What a node remembers of a dataset's objects beside their manifests: of each key the last object that was here with all its
 * chunks, which readers see until the next one is; and which of its own the hub has. Lost, it is found out again.
 */
export class ObjectMarks {
  private readonly here = new Map<string, Manifest>();
  private readonly sent = new Map<string, string>();
  private lines = 0;
  private work: Promise<void> = Promise.resolve();

  private constructor(
    private readonly path: string,
    private log: CopyLog | undefined,
  ) {}

  static async open(path: string): Promise<ObjectMarks> {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const log = await CopyLog.open(path);
    const marks = new ObjectMarks(path, log);
    await log.read((value) => {
      const parsed = lineSchema.safeParse(value);
      if (parsed.success) marks.install(parsed.data);
    });
    return marks;
  }

  /** The last object of a key that was here whole. */
  whole(key: string): Manifest | undefined {
    return this.here.get(key);
  }

  *wholes(): Generator<[string, Manifest]> {
    yield* this.here;
  }

  /** Whether the hub has all chunks of this object. */
  isSent(key: string, digest: string): boolean {
    return this.sent.get(key) === digest;
  }

  async setWhole(key: string, manifest: Manifest): Promise<void> {
    if (this.here.get(key)?.digest !== manifest.digest) await this.add(['here', key, manifest]);
  }

  async setSent(key: string, digest: string): Promise<void> {
    if (this.sent.get(key) !== digest) await this.add(['sent', key, digest]);
  }

  /** The key is gone, or has to be looked at anew. */
  async forget(key: string): Promise<void> {
    if (this.here.has(key) || this.sent.has(key)) await this.add(['gone', key]);
  }

  async close(): Promise<void> {
    await this.work;
    await this.log?.close();
    this.log = undefined;
  }

  /** Nothing of it stays. */
  async remove(): Promise<void> {
    await this.close();
    for (const ending of ['', '.new']) await rm(`${this.path}${ending}`, { force: true });
  }

  private async add(line: Line): Promise<void> {
    this.install(line);
    // Not waited for by the disk: what is lost is looked for again.
    this.work = this.work
      .then(async () => {
        await this.log?.append([line], { durable: false });
        if (this.lines > this.here.size + this.sent.size + SLACK) await this.rewrite();
      })
      .catch(() => undefined);
    await this.work;
  }

  private install(line: Line): void {
    this.lines += 1;
    switch (line[0]) {
      case 'here':
        this.here.set(line[1], line[2]);
        return;
      case 'sent':
        this.sent.set(line[1], line[2]);
        return;
      case 'gone':
        this.here.delete(line[1]);
        this.sent.delete(line[1]);
        return;
      default:
        line satisfies never;
    }
  }

  private async rewrite(): Promise<void> {
    const lines: Line[] = [
      ...[...this.here].map(([key, manifest]): Line => ['here', key, manifest]),
      ...[...this.sent].map(([key, digest]): Line => ['sent', key, digest]),
    ];
    await this.log?.replace(lines);
    this.lines = lines.length;
  }
}
