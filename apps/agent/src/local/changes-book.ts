import { Conflict, type Bucket, type BucketChange, type Bus, type Following } from '@skerry/bus';
import {
  LIMITS,
  overrideSchema,
  proposalSchema,
  SITE_BUCKETS,
  workloadKey,
  type Override,
  type Proposal,
} from '@skerry/contracts';
import { z } from 'zod';
import { isUnknown } from '../desired/local-change.js';
import { reason, type Log } from '../log.js';

const PROPOSAL = 'proposal.';
const OVERRIDE = 'override.';
/** What was decided is remembered this long, so that a repeated request gets the same answer. */
const DECIDED_KEPT_MS = 24 * 60 * 60_000;

const valueSchema = z.discriminatedUnion('kind', [proposalSchema, overrideSchema]);
type Value = z.infer<typeof valueSchema>;

export interface ChangesBookOptions {
  /** Puts a change over what the hub wants; false when it does not stand any more. */
  onOverride: (key: string, change: Override) => Promise<boolean>;
  onGone: (key: string) => Promise<void>;
  /** Changes on this agent's own disk, by workload. */
  onDisk: () => Iterable<string>;
  /** There is something to send, or it was decided. */
  onProposals: () => void;
  log: Log;
}

/**
 * The local changes of a site: what each put in place of what the hub wants, and the request that goes to the hub. Kept in a
 * bucket of the site's own server, so that all its agents have the same; followed by each of them.
 */
export class ChangesBook {
  private readonly held = new Map<string, HeldProposal>();
  private readonly overrides = new Map<string, { change: Override; revision: number; bytes: number }>();

  private constructor(
    private readonly bucket: Bucket<Value>,
    private readonly options: ChangesBookOptions,
  ) {}

  private following: Following | undefined;

  static async open(bus: Bus, options: ChangesBookOptions): Promise<ChangesBook> {
    await bus.ensureBucket(SITE_BUCKETS.overrides);
    const bucket = bus.bucket(SITE_BUCKETS.overrides, (value) => valueSchema.parse(value));
    const book = new ChangesBook(bucket, options);
    book.following = await bucket.follow(async (change) => await book.hear(change), {
      // Its server has lost something: what it says is true, also where that is older.
      onRestart: () => {
        for (const held of book.held.values()) held.revision = 0;
      },
    });
    await book.following.caughtUp;
    await book.forgetOthers();
    return book;
  }

  async close(): Promise<void> {
    await this.following?.drain();
  }

  proposal(id: string): Proposal | undefined {
    return this.held.get(id)?.proposal;
  }

  /** Bytes of everything that is kept here. */
  get bytes(): number {
    const all = [...this.held.values(), ...this.overrides.values()];
    return all.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Changes that the hub has not decided, in the order in which they were made here, whatever the clocks of those who made them say. */
  open(): Proposal[] {
    return this.inOrder()
      .map(({ proposal }) => proposal)
      .filter(({ state }) => state === 'open');
  }

  /** Ids of the newest 200 changes to these workloads that were made before this one. */
  before({ request, over }: Proposal): string[] {
    const keys = new Set(over.map(({ project, name }) => workloadKey(project, name)));
    const all = this.inOrder().map(({ proposal }) => proposal);
    const earlier = all.slice(
      0,
      all.findIndex((p) => p.request.id === request.id),
    );
    return earlier
      .filter((p) => p.over.some(({ project, name }) => keys.has(workloadKey(project, name))))
      .map((p) => p.request.id)
      .slice(-LIMITS.earlierSiteChanges);
  }

  /** What was begun here, with changes that the hub accepted before this moment (ms since 1970); `known` ones, or those that are not yet. */
  begun(acceptedBeforeMs: number): { key: string; change: Override }[] {
    return [...this.overrides].flatMap(([key, { change }]) => {
      if (change.base !== undefined && !isUnknown(change.base)) return [];
      const proposal = this.held.get(change.proposal)?.proposal;
      const isDue =
        proposal === undefined ||
        (proposal.state === 'accepted' && Date.parse(proposal.decidedAt ?? '') <= acceptedBeforeMs);
      return isDue ? [{ key, change }] : [];
    });
  }

  /** Workloads over which this change stands. */
  keysOf(id: string): string[] {
    return [...this.overrides].flatMap(([key, { change }]) => (change.proposal === id ? [key] : []));
  }

  /** Notes at a change how the hub stands to it. */
  async mark(key: string, mark: Pick<Override, 'known' | 'alone'>): Promise<void> {
    const standing = this.overrides.get(key);
    if (standing === undefined) return;
    const change = { ...standing.change, ...mark };
    const revision = await this.bucket.put(`${OVERRIDE}${key}`, change, standing.revision);
    await this.stand(key, change, revision);
  }

  /** Keeps a change: all of it or nothing. Throws `Conflict` when another came between. */
  async add(proposal: Proposal, overrides: readonly Override[]): Promise<void> {
    const keyed = overrides.map((change) => {
      const key = overrideKey(change);
      return { key: `${OVERRIDE}${key}`, value: change, revision: this.overrides.get(key)?.revision ?? 0 };
    });
    const first = { key: `${PROPOSAL}${proposal.request.id}`, value: proposal, revision: 0 };
    const revisions = await this.bucket.putAll([first, ...keyed]);
    this.held.set(proposal.request.id, heldOf(proposal, revisions[0] ?? 0));
    for (const [i, change] of overrides.entries()) {
      this.overrides.set(overrideKey(change), {
        change,
        revision: revisions[i + 1] ?? 0,
        bytes: bytesOf(change),
      });
    }
    this.options.onProposals();
  }

  /** Notes what became of a change. */
  async decide(id: string, decided: Pick<Proposal, 'state' | 'outcome'>): Promise<void> {
    const known = this.held.get(id);
    if (known === undefined) return;
    const proposal: Proposal = {
      ...known.proposal,
      ...decided,
      // What was asked for is not needed any more, and may be large.
      request: { ...known.proposal.request, body: '{}' },
      added: placeOf(known),
      decidedAt: new Date().toISOString(),
    };
    const revision = await this.bucket.put(`${PROPOSAL}${id}`, proposal, known.revision);
    this.held.set(id, heldOf(proposal, revision));
  }

  /** Takes away what a change put over what the hub wants. */
  async withdraw(id: string): Promise<void> {
    for (const key of this.keysOf(id)) await this.drop(key);
  }

  /** Takes away what stands over a workload: the hub wants something newer. */
  async drop(key: string): Promise<void> {
    const known = this.overrides.get(key);
    if (known === undefined) return;
    await this.bucket.delete(`${OVERRIDE}${key}`, known.revision).catch((error: unknown) => {
      // Another agent was faster.
      if (!(error instanceof Conflict)) throw error;
    });
    this.overrides.delete(key);
    await this.options.onGone(key);
  }

  /** Forgets what was decided long ago. */
  async tidy(nowMs: number): Promise<void> {
    for (const [id, { proposal, revision }] of this.held) {
      const { decidedAt } = proposal;
      if (decidedAt === undefined || nowMs - Date.parse(decidedAt) < DECIDED_KEPT_MS) continue;
      await this.bucket.delete(`${PROPOSAL}${id}`, revision).catch(() => undefined);
      this.held.delete(id);
    }
  }

  private async hear(change: BucketChange<Value>): Promise<void> {
    const { key, revision } = change;
    if (change.kind === 'malformed') {
      this.options.log.error('a local change cannot be read', { key, reason: change.reason });
      return;
    }
    if (key.startsWith(PROPOSAL)) {
      const id = key.slice(PROPOSAL.length);
      if (change.kind === 'gone') this.held.delete(id);
      else if (change.value.kind === 'Proposal' && (this.held.get(id)?.revision ?? 0) < revision)
        this.held.set(id, heldOf(change.value, revision));
      this.options.onProposals();
      return;
    }
    const workload = key.slice(OVERRIDE.length);
    if (change.kind === 'gone') {
      this.overrides.delete(workload);
      await this.options.onGone(workload);
    } else if (change.value.kind === 'Override') await this.stand(workload, change.value, revision);
  }

  private inOrder(): HeldProposal[] {
    return [...this.held.values()].toSorted((a, b) => placeOf(a) - placeOf(b));
  }

  private async stand(key: string, change: Override, revision: number): Promise<void> {
    this.overrides.set(key, { change, revision, bytes: bytesOf(change) });
    const stands = await this.options.onOverride(key, change);
    if (stands) return;
    await this.drop(key).catch((error: unknown) => {
      this.options.log.warn('a local change that does not stand was not taken away', {
        key,
        reason: reason(error),
      });
    });
  }

  /** Changes that were taken away while this agent was down are on its disk yet. */
  private async forgetOthers(): Promise<void> {
    for (const key of this.options.onDisk()) if (!this.overrides.has(key)) await this.options.onGone(key);
  }
}

interface HeldProposal {
  proposal: Proposal;
  revision: number;
  bytes: number;
}

const heldOf = (proposal: Proposal, revision: number): HeldProposal => ({
  proposal,
  revision,
  bytes: bytesOf(proposal),
});

/** Under which revision it was added: until it is decided, its newest. */
const placeOf = ({ proposal, revision }: HeldProposal) => proposal.added ?? revision;

const bytesOf = (value: Value) => Buffer.byteLength(JSON.stringify(value));

const overrideKey = ({ project, name }: Override) => workloadKey(project, name);
