import { Inject, Injectable } from '@nestjs/common';
import type { Bucket, BucketChange, Bus } from '@skerry/bus';
import { BUCKETS, copyAuditSchema, type CopyAudit, type Dataset } from '@skerry/contracts';
import { BUS, JsonLog } from '@skerry/service';

const WRITE_EVERY_MS = 1_000;
/** Writes at once. */
const AT_ONCE = 64;

/**
 * The bucket `copy-audit`: since when which rule lets which site have a copy, and what was refused there. The active instance
 * notes and writes, a second later, so that who asks again and again costs one write a second.
 */
@Injectable()
export class CopyAuditStore {
  private readonly bucket: Bucket<CopyAudit>;
  private readonly known = new Map<string, { audit: CopyAudit; revision: number }>();
  private readonly noted = new Map<string, CopyAudit>();
  private timer: NodeJS.Timeout | undefined;
  private writing: Promise<void> = Promise.resolve();

  constructor(
    @Inject(BUS) bus: Bus,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {
    this.bucket = bus.bucket(BUCKETS.copyAudit, (value) => copyAuditSchema.parse(value));
  }

  apply(change: BucketChange<CopyAudit>): void {
    if (change.kind === 'put') this.known.set(change.key, { audit: change.value, revision: change.revision });
    else if (change.kind === 'gone') this.known.delete(change.key);
  }

  start(): void {
    this.timer ??= setInterval(() => {
      this.writing = this.writing.then(async () => await this.write());
    }, WRITE_EVERY_MS).unref();
  }

  /** Resolves when all that was noted is written or given up. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.timer = undefined;
    this.writing = this.writing.then(async () => await this.write());
    await this.writing;
  }

  /** Notes what `change` makes of the record; undefined from it says that nothing is new. */
  note(
    { project, name }: Pick<Dataset, 'project' | 'name'>,
    site: string,
    change: (audit: CopyAudit) => CopyAudit | undefined,
  ): void {
    const key = `${project}.${name}.${site}`;
    const empty: CopyAudit = { kind: 'CopyAudit', project, name, site, events: [], refusals: [] };
    const next = change(this.noted.get(key) ?? this.known.get(key)?.audit ?? empty);
    if (next !== undefined) this.noted.set(key, next);
  }

  private async write(): Promise<void> {
    const due = [...this.noted];
    this.noted.clear();
    while (due.length > 0)
      await Promise.all(due.splice(0, AT_ONCE).map(async ([key, audit]) => await this.writeOne(key, audit)));
  }

  private async writeOne(key: string, audit: CopyAudit): Promise<void> {
    try {
      const revision = await this.bucket.put(key, audit, this.known.get(key)?.revision ?? 0);
      this.known.set(key, { audit, revision });
    } catch (error) {
      // Another instance has written meanwhile, or the bucket is full: what is there stays.
      this.log.warn(`what happened to copy ${key} was not written down`, error);
    }
  }
}
