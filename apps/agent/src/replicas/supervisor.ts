import type { Allotment, Assignment, CheckResult, Observed } from '@skerry/contracts';
import { reconcile, slotsOn, type GpusBySlot } from '@skerry/domain';
import { isSingle } from '../control/site-state.js';
import type { DesiredStore } from '../desired/desired-store.js';
import { changeOf, type HeldObject } from '../desired/held-object.js';
import type { HubView } from '../hub-silence.js';
import { reason, type Log } from '../log.js';
import { acceptedOf } from './accepted-version.js';
import type { Admission } from './admission.js';
import { heldOf, isUp, replicaOf, type ReplicaRecord } from './replica-record.js';
import type { ReplicaRunner } from './replica-runner.js';
import {
  assign,
  cronTimesOf,
  newWorkload,
  rests,
  stopOf,
  versionOf,
  wantedOf,
  type Workload,
} from './workload.js';

/**
 * How long an assignment that does not fit waits for room before it is refused: what it needs may be on its way
 * out, in a message behind it. The centre expects a refusal within a second.
 */
const REFUSE_AFTER_MS = 700;
const MAX_TIMER_MS = 2 ** 31 - 1;

export interface SupervisorOptions {
  /** What is known of the hub. */
  hub: HubView;
  store: DesiredStore;
  runner: ReplicaRunner;
  admission: Admission;
  place: { site: string; node: string; address: string };
  share: Share;
  log: Log;
}

/** Which replicas of the site's are this node's. */
export interface Share {
  /** The site has several nodes: nothing begins here that was not allotted. */
  several(): boolean;
  of(key: string): Allotment | undefined;
  /** Whether this node may begin a singleton that it was given; if not yet, `allotted` says when that is another. */
  mayBegin(key: string): boolean;
}

/** What this node is to report of a workload; number and time are added when it is sent. */
export type Report = Omit<Observed, 'report' | 'reportedAt'>;

/** Brings what runs on this node to what is wanted of it: decides (by the pure rules), lets the runner do, and decides again. */
export class Supervisor {
  private readonly workloads = new Map<string, Workload>();
  private readonly dirty = new Set<Workload>();
  private drain: NodeJS.Immediate | undefined;
  private changed: (key: string) => void = () => undefined;
  /** Set when everything shall stop, whatever is wanted. */
  private halting = false;

  constructor(private readonly options: SupervisorOptions) {
    options.runner.onChange((workload) => this.touch(workload));
  }

  /** Called with the key of each workload of which there is something new to report. */
  onChange(listener: (key: string) => void): void {
    this.changed = listener;
  }

  /** Adopts what earlier agents started, then begins with what the disk says is wanted. Call once, before `take`. */
  async begin(records: readonly ReplicaRecord[]): Promise<void> {
    for (const record of records)
      this.of(`${record.project}.${record.name}`).replicas.set(record.slot, record);
    // Those that run already were accepted once: they keep their room.
    const entries = this.options.store
      .entries()
      .toSorted(([a], [b]) => this.of(b).replicas.size - this.of(a).replicas.size || (a < b ? -1 : 1));
    for (const [key, held] of entries) this.settleWanted(this.of(key), held);
    await Promise.all(
      [...this.workloads.values()].flatMap((w) =>
        [...w.replicas.values()].map(async (record) => await this.adopt(w, record)),
      ),
    );
    // What was thought to run may have ended, and may not be this node's any more.
    if (this.options.share.several())
      for (const [key, held] of entries) this.settleWanted(this.of(key), held);
    for (const workload of this.workloads.values()) this.touch(workload);
  }

  /** Takes up what the store newly holds under a key. */
  take(key: string): void {
    const held = this.options.store.get(key);
    if (held === undefined) return;
    this.settleWanted(this.of(key), held);
    this.touch(this.of(key));
    this.reconsider();
  }

  /** What is allotted to this node of a workload is another, or the site has several nodes now. */
  allotted(key: string): void {
    const held = this.options.store.get(key);
    if (held === undefined) return;
    this.settleWanted(this.of(key), held);
    this.touch(this.of(key));
  }

  keys(): string[] {
    return [...this.workloads.keys()];
  }

  /** Replicas that run now. */
  running(): ReplicaRecord[] {
    return this.each(({ phase }) => phase === 'running').map(([, record]) => record);
  }

  /** Replicas of a workload, whatever became of them. */
  replicas(key: string): ReplicaRecord[] {
    return [...(this.workloads.get(key)?.replicas.values() ?? [])];
  }

  /** What is to be reported of a workload now; undefined while nothing was decided. */
  report(key: string): Report | undefined {
    const workload = this.workloads.get(key);
    const version = workload === undefined ? undefined : versionOf(workload);
    if (workload?.held === undefined || version === undefined || workload.undecided !== undefined)
      return undefined;
    const { object } = workload.held;
    const { slots, assignment } = workload;
    const replicas = [...workload.replicas.values()].toSorted((a, b) => a.slot - b.slot);
    const runs = cronTimesOf(workload, Date.now());
    const gone = object.kind === 'Tombstone' && replicas.length === 0 && workload.clearing === 0;
    return {
      kind: 'Observed',
      site: this.options.place.site,
      project: workload.project,
      name: workload.name,
      version:
        object.kind === 'Assignment' && slots !== undefined ? (assignment?.version ?? version) : version,
      state: gone ? 'absent' : workload.refusal === undefined ? 'accepted' : 'refused',
      ...(workload.refusal === undefined ? {} : { refusal: workload.refusal }),
      wanted: object.kind === 'Assignment' ? (slots?.size ?? object.replicas) : 0,
      replicas: replicas.map((r) => replicaOf(r, this.options.place)),
      ...(runs === undefined ? {} : { runs }),
    };
  }

  /**
   * Stops every replica and resolves when none runs. With `forget` what they left on the disk goes too; else the
   * next agent starts those that ran again at once.
   */
  async stopAll(options: { forget: boolean }): Promise<void> {
    this.close();
    for (const [workload, { slot }] of this.each((record) => isUp(record))) {
      const why = options.forget ? 'not-wanted' : 'paused';
      this.options.runner.perform(workload, { kind: 'stop', slot, why });
    }
    await this.options.runner.settled();
    if (!options.forget) return;
    for (const [workload, { slot }] of this.each(() => true)) {
      this.options.runner.perform(workload, { kind: 'forget', slot });
    }
    await this.options.runner.settled();
  }

  /** Looks again at what may not run without the hub: it rests while that is silent, and goes on when it is heard. */
  heedHub(): void {
    for (const workload of this.workloads.values()) {
      const resting = rests(workload, this.options.hub);
      if (resting === workload.rested) continue;
      this.options.log.warn(resting ? 'rests without the hub' : 'goes on with the hub', {
        workload: workload.key,
      });
      this.touch(workload);
    }
  }

  /** Stops deciding; what runs goes on. */
  close(): void {
    this.halting = true;
    if (this.drain) clearImmediate(this.drain);
    for (const workload of this.workloads.values()) {
      clearTimeout(workload.undecided);
      clearTimeout(workload.wake);
    }
  }

  private each(is: (record: ReplicaRecord) => boolean): [Workload, ReplicaRecord][] {
    return [...this.workloads.values()].flatMap((w) =>
      [...w.replicas.values()].filter(is).map((r): [Workload, ReplicaRecord] => [w, r]),
    );
  }

  private of(key: string): Workload {
    const found = this.workloads.get(key);
    if (found) return found;
    const [project = '', name = ''] = key.split('.');
    const made = newWorkload(key, project, name);
    this.workloads.set(key, made);
    return made;
  }

  private async adopt(workload: Workload, record: ReplicaRecord): Promise<void> {
    try {
      await this.options.runner.adopt(workload, record);
    } catch (error) {
      this.options.log.error('a replica was not adopted', { replica: record.id, reason: reason(error) });
    }
  }

  /** Decides whether what is held shall run here. */
  private settleWanted(workload: Workload, held: HeldObject): void {
    workload.held = held;
    workload.refusal = undefined;
    clearTimeout(workload.undecided);
    workload.undecided = undefined;
    switch (held.object.kind) {
      case 'Assignment':
        if (this.options.share.several()) return this.settleShare(workload, held.object);
        return this.admit(workload, held.object, held.fallback);
      case 'Tombstone':
        return this.assign(workload, undefined);
      case 'Retirement':
      case 'NodeRules':
      case 'Access':
        return;
    }
  }

  /**
   * Takes up what is this node's of an assignment. What runs goes on as it was until the site's controller has accepted a
   * newer version, and until it has allotted anything at all.
   */
  private settleShare(workload: Workload, object: Assignment): void {
    const { key, held } = workload;
    const allotment = this.options.share.of(key);
    const running = workload.assignment ?? held?.fallback;
    const accepted = acceptedOf(object, { running, allotment, change: held && changeOf(held) });
    const { node } = this.options.place;
    workload.slots =
      allotment === undefined
        ? new Set(workload.replicas.keys())
        : this.begun(workload, slotsOn(node, allotment, isSingle(object)), isSingle(object));
    workload.othersTurn = allotment?.turn !== undefined && allotment.turn !== node;
    workload.countFrom = allotment?.movedAtMs ?? 0;
    workload.moves = allotment?.moves ?? 0;
    this.assign(workload, accepted);
    const fallback = accepted === object ? undefined : accepted;
    if (fallback?.version !== held?.fallback?.version) this.keep(workload, fallback);
  }

  /** Which of these slots run here or may begin: a singleton waits until it is certain that it was given to this node. */
  private begun({ key, replicas }: Workload, slots: readonly number[], single: boolean): Set<number> {
    const runs = [...replicas.values()].some((r) => isUp(r) && r.phase !== 'stopping');
    const waits = single && slots.length > 0 && !runs && !this.options.share.mayBegin(key);
    return new Set(waits ? [] : slots);
  }

  private admit(workload: Workload, assignment: Assignment, fallback: Assignment | undefined): void {
    if (this.misfit(workload, assignment) === undefined) {
      this.assign(workload, assignment);
      if (fallback !== undefined) this.keep(workload, undefined);
      return;
    }
    // What ran before goes on until it is decided, and when the new version is refused.
    if (workload.assignment === undefined && fallback !== undefined) this.assign(workload, fallback);
    workload.undecided = setTimeout(() => this.decide(workload, assignment), REFUSE_AFTER_MS);
  }

  private decide(workload: Workload, assignment: Assignment): void {
    workload.undecided = undefined;
    const misfit = this.misfit(workload, assignment);
    if (misfit === undefined) this.accept(workload, assignment);
    else this.refuse(workload, misfit);
    this.touch(workload);
  }

  private accept(workload: Workload, assignment: Assignment): void {
    clearTimeout(workload.undecided);
    workload.undecided = undefined;
    workload.refusal = undefined;
    this.assign(workload, assignment);
    if (workload.held?.fallback !== undefined) this.keep(workload, undefined);
  }

  private refuse(workload: Workload, misfit: CheckResult): void {
    workload.refusal = misfit;
    if (workload.assignment !== undefined) this.keep(workload, workload.assignment);
    this.options.log.warn('refused: it does not fit here', { workload: workload.key, ...misfit });
  }

  /** Room may have become free: looks again at what waits or was refused. */
  private reconsider(): void {
    for (const workload of this.workloads.values()) {
      const object = workload.held?.object;
      const waits = workload.undecided !== undefined || workload.refusal !== undefined;
      if (!waits || object?.kind !== 'Assignment' || this.misfit(workload, object) !== undefined) continue;
      this.accept(workload, object);
      this.touch(workload);
    }
  }

  private misfit(workload: Workload, assignment: Assignment): CheckResult | undefined {
    return this.options.admission.misfit(workload.key, assignment);
  }

  private assign(workload: Workload, assignment: Assignment | undefined): void {
    assign(workload, assignment);
    this.options.admission.take(workload.key, assignment, {
      held: gpusHeld(workload),
      slots: workload.slots,
    });
  }

  /** Keeps on the disk what runs in place of a refused version. */
  private keep(workload: Workload, fallback: Assignment | undefined): void {
    const { held } = workload;
    if (held === undefined) return;
    const { fallback: _old, ...rest } = held;
    workload.held = fallback === undefined ? rest : { ...rest, fallback };
    this.write(workload);
  }

  private write({ key, held }: Workload): void {
    if (held === undefined) return;
    this.options.store.set(key, held).catch((error: unknown) => {
      this.options.log.error('what runs was not written down', {
        workload: key,
        reason: reason(error),
      });
    });
  }

  /** A run was left out: it is not made up for later, by the next agent neither. */
  private countFrom(workload: Workload, cronFrom: number): void {
    const { held } = workload;
    if (held === undefined) return;
    workload.held = { ...held, cronFrom };
    this.write(workload);
  }

  private touch(workload: Workload): void {
    this.changed(workload.key);
    if (this.halting) return;
    this.dirty.add(workload);
    this.drain ??= setImmediate(() => this.drainDirty());
  }

  private drainDirty(): void {
    this.drain = undefined;
    const dirty = [...this.dirty];
    this.dirty.clear();
    for (const workload of dirty) this.reconcile(workload);
  }

  private reconcile(workload: Workload): void {
    clearTimeout(workload.wake);
    const wanted = wantedOf(workload, this.options.hub);
    workload.rested = wanted?.paused === true;
    // Nothing was ever wanted, nor unwanted: a refused newcomer, or replicas whose desired object was damaged.
    if (wanted === undefined && workload.held?.object.kind !== 'Tombstone') return;
    this.relabel(workload);
    const held = [...workload.replicas.values()].map(heldOf);
    const { actions, wakeAtMs, leftOutMs } = reconcile({
      ...(wanted === undefined ? {} : { wanted }),
      held,
      nowMs: Date.now(),
    });
    for (const action of actions) this.options.runner.perform(workload, action);
    if (leftOutMs !== undefined) this.countFrom(workload, leftOutMs);
    if (wakeAtMs === undefined) return;
    const afterMs = Math.min(Math.max(0, wakeAtMs - Date.now()), MAX_TIMER_MS);
    workload.wake = setTimeout(() => this.touch(workload), afterMs).unref();
  }

  /** A version that changes nothing of what runs is taken on by what runs. */
  private relabel(workload: Workload): void {
    const { assignment, change, template } = workload;
    if (assignment === undefined) return;
    for (const record of workload.replicas.values()) {
      if (record.template !== template || record.phase === 'stopping') continue;
      record.version = assignment.version;
      if (change === undefined) delete record.change;
      else record.change = change;
      record.stop = stopOf(assignment);
    }
  }
}

/** GPUs that its replicas run on: an agent that starts anew leaves them there. */
function gpusHeld({ replicas }: Workload): GpusBySlot {
  return new Map(
    [...replicas].flatMap(([slot, { gpus }]) => (gpus === undefined ? [] : [[slot, gpus.indices]])),
  );
}
