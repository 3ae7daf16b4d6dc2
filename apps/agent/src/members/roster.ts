import type { Bucket, Bus, Following } from '@skerry/bus';
import { memberSchema, nameSchema, parse, parseAcross, SITE_BUCKETS, type Member } from '@skerry/contracts';
import { z } from 'zod';
import { readJson, writeAtomic } from '../files/atomic-file.js';
import { reason, type Log } from '../log.js';

/** After the disk has not taken the list. */
const KEEP_AGAIN_MS = 2_000;

/** The members as a node remembers them, for a start without a server. */
const fileSchema = z.strictObject({ several: z.boolean(), members: z.record(nameSchema, memberSchema) });

/**
 * The nodes that belong to this site: bucket `members` at its server, and a copy on this node's disk. A site that ever had
 * a second node stays a site of several for good: nothing runs anywhere any more that was not allotted.
 */
export class Roster {
  private readonly listeners = new Set<() => void>();
  private write: Promise<void> = Promise.resolve();
  private following: Following | undefined;
  private again: NodeJS.Timeout | undefined;
  private closed = false;

  private constructor(
    private readonly path: string,
    private readonly log: Log,
    private readonly known: Map<string, Member>,
    private isSeveral: boolean,
  ) {}

  static async open(path: string, log: Log): Promise<Roster> {
    const text = await readJson(path).catch(() => undefined);
    const parsed = text === undefined ? undefined : parse(fileSchema, text);
    if (parsed?.ok === false) log.error('the list of this site’s nodes was damaged: read anew', { path });
    const { members, several } = parsed?.ok ? parsed.value : { members: {}, several: false };
    return new Roster(path, log, new Map(Object.entries(members)), several);
  }

  /** Whether the site has, or ever had, more than one node. */
  get several(): boolean {
    return this.isSeveral;
  }

  get members(): ReadonlyMap<string, Member> {
    return this.known;
  }

  onChange(listener: () => void): void {
    this.listeners.add(listener);
  }

  /** Follows who belongs to the site; resolves when all are known. */
  async follow(bus: Bus): Promise<void> {
    await bus.ensureBucket(SITE_BUCKETS.members);
    await this.following?.drain();
    this.following = await memberBucket(bus).follow((change) => {
      if (change.kind === 'malformed') return this.log.error('a member cannot be read', { ...change });
      if (change.kind === 'gone') this.known.delete(change.key);
      else this.known.set(change.key, change.value);
      this.changed();
    });
    await this.following.caughtUp;
  }

  /** Enters this node, unless it is entered already as it is. */
  async enter(bus: Bus, me: Member): Promise<void> {
    await bus.ensureBucket(SITE_BUCKETS.members);
    const bucket = memberBucket(bus);
    const { node } = me.report;
    const before = await bucket.get(node);
    if (before?.value.incarnation === me.incarnation) return;
    const joinedAt = before?.value.joinedAt ?? me.joinedAt;
    await bucket.put(node, { ...me, joinedAt }, before?.revision ?? 0);
  }

  /** Takes a node out: it is gone for good. */
  async leave(bus: Bus, node: string): Promise<void> {
    await memberBucket(bus).delete(node);
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.again);
    await this.following?.drain();
    await this.write;
  }

  private changed(): void {
    this.isSeveral ||= this.known.size > 1;
    this.keep();
    for (const listener of this.listeners) listener();
  }

  /** Until it is on the disk, since the next agent would think that it is alone, and run everything. */
  private keep(): void {
    clearTimeout(this.again);
    this.write = this.write.then(async () => {
      const text = JSON.stringify({ several: this.isSeveral, members: Object.fromEntries(this.known) });
      await writeAtomic(this.path, text).catch((error: unknown) => {
        this.log.warn('the list of this site’s nodes was not written', { reason: reason(error) });
        if (!this.closed) this.again = setTimeout(() => this.keep(), KEEP_AGAIN_MS).unref();
      });
    });
  }
}

function memberBucket(bus: Bus): Bucket<Member> {
  return bus.bucket(SITE_BUCKETS.members, (value) => {
    const parsed = parseAcross(memberSchema, value);
    if (parsed.ok) return parsed.value;
    throw new Error(`${parsed.issues[0]?.path}: ${parsed.issues[0]?.problem}`);
  });
}
