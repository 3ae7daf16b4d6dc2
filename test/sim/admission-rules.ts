import {
  BUCKETS,
  bucketStream,
  commandSchema,
  outcomeSchema,
  quotaSchema,
  siteSchema,
  STREAMS,
  workloadSchema,
  type Command,
  type CommandOutcome,
  type Quota,
  type Workload,
} from '@skerry/contracts';
import type { Cloud } from './cloud.js';
import { followStream, jsonOf, keyIn, type Stored } from './follow-stream.js';
import type { Broken } from './invariants.js';

const MESSAGE_ID = 'Nats-Msg-Id';
const LIMITED = ['workloads', 'replicas'] as const;
type Use = Record<(typeof LIMITED)[number], number>;
const NOTHING: Use = { workloads: 0, replicas: 0 };

/** What whoever asks policy for something may rely on, looked at with every message that the hub stores of it. */
export class AdmissionRules {
  private readonly commands = new Map<string, Command>();
  private readonly outcomes = new Map<string, CommandOutcome>();
  private readonly workloads = new Map<string, Workload>();
  private readonly quotas = new Map<string, Quota>();
  /** Newest generation of every noun. */
  private readonly generations = new Map<string, number>();
  /** Keys of workloads that a request has written, by its id. */
  private readonly written = new Map<string, Set<string>>();
  /** Ids of events that are told; and of those that have to be. */
  private readonly told = new Set<string>();
  private readonly due = new Set<string>();
  private readonly uses = new Map<string, Use>();
  /** When somebody was last given more of a project, or its quota changed. */
  private readonly raisedAt = new Map<string, number>();
  private relearning = false;

  /** `staleMs`: how old may be what policy decides by. */
  constructor(
    private readonly cloud: Cloud,
    private readonly staleMs: () => number,
    private readonly broken: (broken: Broken) => void,
  ) {
    this.follow(STREAMS.CMD.name, (m) => this.asked(m));
    this.follow(STREAMS.EVT.name, (m) => this.event(m));
    this.follow(bucketStream(BUCKETS.policies.name), (m) => this.quota(m));
    this.follow(bucketStream(BUCKETS.siteSpecs.name), (m) => this.site(m));
    this.follow(bucketStream(BUCKETS.workloads.name), (m) => this.stored(m));
    this.follow(bucketStream(BUCKETS.outcomes.name), (m) => this.outcome(m));
  }

  /** What is still to be told of what policy has decided. */
  untold(): string[] {
    const missing = [...this.due].filter((id) => !this.told.has(id));
    return missing.slice(0, 3).map((id) => `the event ${id} is missing`);
  }

  private break(invariant: string, detail: string): void {
    this.broken({ invariant, detail });
  }

  /** After a loss what is left is heard once more, and only that counts. */
  private follow(name: string, act: (m: Stored) => void): void {
    followStream(this.cloud.hub.memory, name, act, (left) => {
      // The first of all that are heard anew.
      if (name === STREAMS.CMD.name) this.forget();
      this.relearning = true;
      for (const m of left.from(1)) act(m);
      this.relearning = false;
    });
  }

  private forget(): void {
    const { outcomes, workloads, quotas, generations, written, told, due, uses, raisedAt } = this;
    for (const known of [outcomes, workloads, quotas, generations, written, told, due, uses, raisedAt])
      known.clear();
  }

  /** An event has to come, also of what is written over before. */
  private owes(type: string, subject: string, version: number): void {
    this.due.add(`${type}/${subject}/${version}`);
  }

  private asked(m: Stored): void {
    const command = commandSchema.parse(jsonOf(m));
    this.commands.set(command.requestId, command);
  }

  private event(m: Stored): void {
    this.told.add(m.headers[MESSAGE_ID] ?? '');
  }

  private quota(m: Stored): void {
    const quota = quotaSchema.parse(jsonOf(m));
    const { project, generation = 1 } = quota;
    this.rises(`quota ${project}`, generation);
    this.owes('quota.changed', project, generation);
    this.quotas.set(project, quota);
    this.raisedAt.set(project, this.now);
  }

  private site(m: Stored): void {
    this.rises(`site ${keyIn(m)}`, siteSchema.parse(jsonOf(m)).generation);
  }

  /** One writer after the other: each makes the generation that follows. */
  private rises(what: string, generation: number): void {
    const before = this.generations.get(what) ?? 0;
    this.generations.set(what, generation);
    if (generation === before + 1 || this.relearning) return;
    this.break('generations', `${what} goes from generation ${before} to ${generation}`);
  }

  private stored(m: Stored): void {
    const workload = workloadSchema.parse(jsonOf(m));
    const { project, name, generation, removed, requestId } = workload;
    const key = `${project}.${name}`;
    this.rises(key, generation);
    this.owes(removed ? 'workload.removed' : 'workload.admitted', `${project}/${name}`, generation);
    this.workloads.set(key, workload);
    const keys = this.written.get(requestId) ?? new Set();
    if (!this.relearning) this.once(key, workload, keys);
    const { relearning } = this;
    if (keys.size === 0) queueMicrotask(() => this.whole(requestId, relearning));
    keys.add(key);
    this.written.set(requestId, keys);
  }

  private once(key: string, { generation, requestId }: Workload, keys: ReadonlySet<string>): void {
    const what = `${key} generation ${generation} of ${requestId}`;
    if (!this.commands.has(requestId)) this.break('outcome', `${what}, which nobody has asked for`);
    if (keys.has(key)) this.break('outcome', `${what}, which had changed it before`);
    if (this.outcomes.get(requestId)?.ok === false) this.break('outcome', `${what}, which was refused`);
  }

  /** What one request writes lies there at once, and none of it before the rest. `left`: after a loss, some of it was overwritten before. */
  private whole(requestId: string, left: boolean): void {
    const body = this.commands.get(requestId)?.body;
    const written = this.written.get(requestId);
    const documents = body?.verb === 'workload.apply' ? body.documents : [];
    const missing = documents.filter(({ metadata, spec }) => {
      const key = `${metadata.project}.${metadata.name}`;
      const there = this.workloads.get(key)?.spec;
      return written?.has(key) !== true && JSON.stringify(there) !== JSON.stringify(spec);
    });
    if (missing.length > 0 && !left && written !== undefined) {
      const without = missing.map(({ metadata }) => metadata.name).join();
      this.break('folder', `${requestId} has changed ${[...written].join()}, and not ${without}`);
    }
    for (const project of new Set([...(written ?? [])].map((key) => key.split('.')[0] ?? '')))
      this.limited(project, requestId, left);
  }

  /** Nothing more is admitted than a project may have, except by who could not know yet what another one had been given. */
  private limited(project: string, requestId: string, left: boolean): void {
    const before = this.uses.get(project) ?? NOTHING;
    const after = useOf([...this.workloads.values()].filter((workload) => workload.project === project));
    this.uses.set(project, after);
    const more = LIMITED.filter((limit) => after[limit] > before[limit]);
    if (more.length === 0) return;
    const sinceMs = this.now - (this.raisedAt.get(project) ?? -Infinity);
    this.raisedAt.set(project, this.now);
    const over = more.filter((limit) => after[limit] > (this.quotas.get(project)?.[limit] ?? Infinity));
    if (over.length === 0 || left || sinceMs < this.staleMs()) return;
    const passed = over.map((limit) => `${after[limit]} ${limit} of ${this.quotas.get(project)?.[limit]}`);
    this.break('quota', `with ${requestId} ${project} has ${passed.join(' and ')}`);
  }

  private outcome(m: Stored): void {
    const outcome = outcomeSchema.parse(jsonOf(m));
    const { requestId } = outcome;
    const before = this.outcomes.get(requestId);
    this.outcomes.set(requestId, outcome);
    if (!outcome.ok) this.owes('command.rejected', requestId, 1);
    if (this.relearning) return;
    if (before !== undefined && inShort(before) !== inShort(outcome))
      this.break('outcome', `${requestId} was answered ${inShort(before)}, and then ${inShort(outcome)}`);
    const written = this.written.get(requestId);
    if (outcome.ok) this.kept(outcome, written ?? new Set());
    else if (written !== undefined)
      this.break('outcome', `${requestId} has changed ${[...written].join()}: ${inShort(outcome)}`);
  }

  /** What is said to be admitted is there, or was until something newer came; and nothing else of it. */
  private kept({ requestId, changes }: CommandOutcome & { ok: true }, written: ReadonlySet<string>): void {
    const said = new Set(changes.map(({ project, name }) => `${project}.${name}`));
    const unsaid = [...written].filter((key) => !said.has(key));
    if (unsaid.length > 0)
      this.break('outcome', `${requestId} has changed ${unsaid.join()}, and does not say so`);
    for (const { noun, project, name, change, generation } of changes) {
      if (noun !== 'workload') continue;
      const key = `${project}.${name}`;
      const there = this.workloads.get(key)?.generation ?? 0;
      if (there < generation) this.break('outcome', `${requestId}: ${key} is ${there}, not ${generation}`);
      if (change !== 'unchanged' && !written.has(key))
        this.break('outcome', `${requestId} is said to have ${change} ${key}, and has not`);
    }
  }

  private get now(): number {
    return this.cloud.timeline.now;
  }
}

function useOf(workloads: readonly Workload[]): Use {
  const there = workloads.filter(({ removed }) => !removed);
  const replicas = there.map(({ stopped, spec }) => (stopped ? 0 : Number(spec.placement.replicas)));
  return { workloads: there.length, replicas: replicas.reduce((sum, n) => sum + n, 0) };
}

function inShort(outcome: CommandOutcome): string {
  return outcome.ok ? JSON.stringify(outcome.changes) : `${outcome.code}: ${outcome.title}`;
}
