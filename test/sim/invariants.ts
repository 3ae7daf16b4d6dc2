import { matches } from '@skerry/bus';
import {
  BUCKETS,
  bucketStream,
  bucketSubject,
  compareVersions,
  desiredSchema,
  EPOCH_KEY,
  formatVersion,
  observedSchema,
  parseVersion,
  placementSchema,
  placementsValueSchema,
  siteSchema,
  siteStateSchema,
  STREAMS,
  workloadSchema,
  type Observed,
  type Placement,
  type SiteState,
  type Version,
  type Workload,
} from '@skerry/contracts';
import { EPOCH_MS } from '@skerry/sim';
import type { Cloud } from './cloud.js';
import { followStream, jsonOf, keyIn, type Stored, type Stream } from './follow-stream.js';
import type { Machine, Physical } from './machine.js';
import type { People } from './people.js';

/** A rule that was broken. */
export interface Broken {
  invariant: string;
  detail: string;
}

/** Clocks of machines are off by up to 2 s each. */
const CLOCKS_OFF_MS = 4_000;

/** How long ago the scheduler may have seen what it decides on: reports take their way. */
const SEEN_MS = 1_500;

/** Decisions are made by a clock that may be so far from the machine's; what is older was long on its way. */
const AT_ONCE_MS = 1_000;

/**
 * The promises of DESIGN.md, looked at with every event that could break one: what really runs, and what is stored at the hub.
 * Nothing of the product is asked, except what it has written down.
 */
export class Invariants {
  /** The newest placement of each workload. */
  readonly placements = new Map<string, Placement>();
  readonly observed = new Map<string, Observed>();
  readonly states = new Map<string, SiteState>();
  /** The newest generation that a site has refused, by site and key. */
  readonly refused = new Map<string, number>();
  private readonly started = new Map<string, Version>();
  private readonly healthyAt = new Map<string, { count: number; since: number; before: number }>();
  private epoch = 0;
  /** Which scheduler commits. */
  private scheduler = '';

  constructor(
    private readonly cloud: Cloud,
    private readonly people: People,
    private readonly broken: (broken: Broken) => void,
  ) {
    this.follow(bucketStream(BUCKETS.placements.name), (m) => this.placed(m));
    this.follow(STREAMS.DL.name, (m) => this.delivered(m));
    this.follow(STREAMS.OBSERVED.name, (m) => this.reported(m));
    this.follow(bucketStream(BUCKETS.siteStates.name), (m) => this.judged(m));
    this.follow(bucketStream(BUCKETS.workloads.name), (m) =>
      this.people.wants(keyIn(m), workloadSchema.parse(jsonOf(m))),
    );
  }

  /** A replica began, or changed. */
  replica(
    machine: Machine,
    replica: Physical,
    what: 'started' | 'stopping' | 'ended' | 'unhealthy' | 'healthy',
  ): void {
    this.cloud.say(machine.name, `${replica.id} (${replica.version}, pid ${replica.pid}) ${what}`);
    if (what !== 'started') return;
    const meant = this.people.meant(replica.key, parseVersion(replica.version)?.generation ?? 0);
    if (meant.length === 0) {
      this.break('known', `${replica.id} runs a generation that nobody wanted: ${replica.version}`);
      return;
    }
    this.single(meant, replica);
    this.residency(machine.site, meant, `${replica.id} runs`);
    this.once(machine, replica);
    this.capacity(machine);
    this.rises(machine, replica);
  }

  private break(invariant: string, detail: string): void {
    this.broken({ invariant, detail });
  }

  /** At most one owner of what must be single, whatever the partitions. What people have made a service since may run beside it. */
  private single(meant: readonly Workload[], { key }: Physical): void {
    const newest = this.people.newest(key)?.spec.type;
    if (newest !== 'singleton' || meant.every(({ spec }) => spec.type !== 'singleton')) return;
    const all = this.cloud.nodes.flatMap(({ machine }) =>
      [...machine.replicas.values()]
        .filter((r) => r.key === key)
        .map((r) => `${r.id} on ${machine.name} (${r.state})`),
    );
    if (all.length > 1) this.break('singleton', `${key} runs ${all.length} times: ${all.join(', ')}`);
  }

  /** Residency is a wall: for what runs, and for what is decided and delivered. */
  private residency(site: string, meant: readonly Workload[], what: string): void {
    const { jurisdictions } = this.cloud.site(site).spec;
    if (meant.length === 0 || meant.some((workload) => mayRunIn(jurisdictions, workload))) return;
    this.break('residency', `${what} at ${site} (${jurisdictions.join()}), where it must not be`);
  }

  /** A slot of a machine is one process. */
  private once(machine: Machine, { id }: Physical): void {
    const same = [...machine.replicas.values()].filter((r) => r.id === id);
    if (same.length > 1) this.break('once', `${id} runs ${same.length} times on ${machine.name}`);
  }

  /** What runs fits its machine. */
  private capacity(machine: Machine): void {
    const { cpuMillicores, freeMillicores } = machine;
    if (freeMillicores >= 0) return;
    this.break(
      'capacity',
      `${machine.name} has ${cpuMillicores}m and runs ${cpuMillicores - freeMillicores}m`,
    );
  }

  /** A slot never goes back to an older version. */
  private rises(machine: Machine, replica: Physical): void {
    const version = parseVersion(replica.version);
    if (version === undefined) return;
    const key = `${machine.name} ${replica.id}`;
    const before = this.started.get(key);
    if (before !== undefined && compareVersions(version, before) < 0) {
      this.break('versions', `${replica.id} starts as ${replica.version} after ${formatVersion(before)}`);
    }
    this.started.set(key, version);
  }

  private follow(name: string, act: (m: Stored) => void): void {
    followStream(this.cloud.hub.memory, name, act, (left) => this.forget(name, left));
  }

  /** The hub has lost what it stored last: what came before counts again. */
  private forget(name: string, stream: Stream): void {
    const lying = stream.newestOfEach(() => true);
    switch (name) {
      case bucketStream(BUCKETS.placements.name): {
        const placements = lying.filter((m) => keyIn(m) !== EPOCH_KEY);
        this.epoch = lying.find((m) => keyIn(m) === EPOCH_KEY)?.sequence ?? 0;
        this.placements.clear();
        for (const m of placements) this.placements.set(keyIn(m), placementSchema.parse(jsonOf(m)));
        return;
      }
      case bucketStream(BUCKETS.workloads.name):
        this.people.forget(new Map(lying.map((m) => [keyIn(m), workloadSchema.parse(jsonOf(m))])));
        return;
      case bucketStream(BUCKETS.siteStates.name):
        this.states.clear();
        for (const m of lying) this.states.set(keyIn(m), siteStateSchema.parse(jsonOf(m)));
        return;
      case STREAMS.OBSERVED.name:
        this.observed.clear();
        this.healthyAt.clear();
        for (const m of lying) if (isReport(m)) this.observed.set(m.subject, observedSchema.parse(jsonOf(m)));
        return;
      default:
    }
  }

  private placed(m: Stored): void {
    const key = keyIn(m);
    if (key === EPOCH_KEY) {
      const value = placementsValueSchema.parse(jsonOf(m));
      this.epoch = m.sequence;
      this.scheduler = value.kind === 'Epoch' ? value.instance : '';
      return;
    }
    const placement = placementSchema.parse(jsonOf(m));
    const where = placement.shares
      .map((s) => `${s.site}:${s.replicas}${s.until ? ' until replaced' : ''}`)
      .join(', ');
    this.cloud.say('placements', `${key} ${formatVersion(placement.version)} ${placement.state} [${where}]`);
    if (placement.epoch !== this.epoch) {
      this.break('fenced', `${key} was committed with epoch ${placement.epoch}, but it is ${this.epoch}`);
    }
    const before = this.placements.get(key);
    if (before !== undefined && compareVersions(placement.version, before.version) < 0) {
      this.break(
        'versions',
        `placement of ${key} goes from ${formatVersion(before.version)} to ${formatVersion(placement.version)}`,
      );
    }
    const meant = this.people.meant(key, placement.version.generation);
    for (const { site } of placement.shares) this.residency(site, meant, `${key} is placed`);
    const workload = this.people.newest(key);
    if (before !== undefined && workload !== undefined) this.lastCopy(key, workload, [before, placement]);
    // Of what is placed there anew what was reported before says nothing.
    for (const { site } of before?.shares ?? [])
      if (!placement.shares.some((s) => s.site === site)) this.healthyAt.delete(`${site} ${key}`);
    this.placements.set(key, placement);
  }

  /** The last healthy copy is not given up before what replaces it is healthy. */
  private lastCopy(key: string, workload: Workload, [before, after]: readonly [Placement, Placement]): void {
    if (workload.spec.type !== 'service' || workload.removed || workload.stopped) return;
    if (workload.spec.placement.replicas === 0) return;
    if (before.version.generation !== after.version.generation || after.state === 'unplaceable') return;
    const stays = new Set(after.shares.map((s) => s.site));
    const seenMs = SEEN_MS + this.heldUpMs(after);
    const gone = before.shares.filter(
      (s) => !stays.has(s.site) && !this.isOver(s.site) && this.healthyFor(key, s.site, seenMs) > 0,
    );
    const left = after.shares.some((s) => this.healthyWithin(key, s.site, seenMs) > 0);
    if (gone.length === 0 || left) return;
    this.break(
      'last copy',
      `${key} ${formatVersion(after.version)} gives up ${gone.map((s) => s.site).join()}, and nothing else is healthy`,
    );
  }

  /** Whether a site had to be empty by now, whatever becomes of what runs there; by a clock that is off. */
  private isOver(site: string): boolean {
    const spec = this.cloud.hub.memory.streams
      .get(bucketStream(BUCKETS.siteSpecs.name))
      ?.newest(bucketSubject(BUCKETS.siteSpecs.name, site));
    const departure = spec && siteSchema.parse(jsonOf(spec)).departure;
    if (departure?.kind !== 'evacuate' || departure.deadline === undefined) return false;
    return Date.parse(departure.deadline) - EPOCH_MS < this.now + CLOCKS_OFF_MS;
  }

  /** How long a decision was on its way: its scheduler may have been held up. */
  private heldUpMs({ decidedAt }: Placement): number {
    const process = this.cloud.instances.find(({ name }) => name === this.scheduler)?.process;
    const ms = process === undefined ? 0 : process.now() - Date.parse(decidedAt);
    return ms > AT_ONCE_MS ? ms : 0;
  }

  /** Healthy replicas that a ready site has reported for a while. */
  private healthyFor(key: string, site: string, seenMs: number): number {
    const known = this.healthyAt.get(`${site} ${key}`);
    const phase = this.states.get(site)?.phase;
    const heard = phase === 'ready' || phase === 'suspect';
    const refused = this.observed.get(`observed.${site}.workload.${key}`)?.state === 'refused';
    return known !== undefined && heard && !refused && this.now - known.since > seenMs ? known.count : 0;
  }

  /** As many as there were lately. */
  private healthyWithin(key: string, site: string, seenMs: number): number {
    const known = this.healthyAt.get(`${site} ${key}`);
    if (known === undefined) return 0;
    return this.now - known.since > seenMs ? known.count : Math.max(known.count, known.before);
  }

  private delivered(m: Stored): void {
    if (!matches('desired.*.assignment.>', m.subject)) return;
    const object = desiredSchema.parse(jsonOf(m));
    if (object.kind !== 'Assignment' && object.kind !== 'Tombstone') return;
    const key = `${object.project}.${object.name}`;
    this.cloud.say('DL', `${object.kind} ${key} ${formatVersion(object.version)} for ${object.site}`);
    if (object.kind === 'Tombstone') return;
    const meant = this.people.meant(key, object.version.generation);
    this.residency(object.site, meant, `${key} is delivered`);
  }

  private reported(m: Stored): void {
    if (!isReport(m)) return;
    const report = observedSchema.parse(jsonOf(m));
    const before = this.observed.get(m.subject);
    this.observed.set(m.subject, report);
    const healthy = report.replicas.filter((r) => r.phase === 'running').length;
    const key = `${report.site} ${report.project}.${report.name}`;
    if (report.state === 'refused') this.refused.set(key, report.version.generation);
    const known = this.healthyAt.get(key);
    if (known?.count !== healthy) {
      this.healthyAt.set(key, { count: healthy, since: this.now, before: known?.count ?? 0 });
    }
    this.cloud.say(
      'OBSERVED',
      `${key} ${formatVersion(report.version)} ${report.state}, ${healthy} of ${report.wanted} (#${report.report - FIRST_REPORT})`,
    );
    if (before !== undefined && this.goesBack(before, report)) {
      this.break(
        'versions',
        `the report of ${key} goes back from ${formatVersion(before.version)} to ${formatVersion(report.version)}`,
      );
    }
    if (before !== undefined && report.report < before.report) {
      this.break(
        'reports',
        `the report of ${key} goes back from #${before.report - FIRST_REPORT} to #${report.report - FIRST_REPORT}`,
      );
    }
  }

  /**
   * Whether a site reports what is older than what it has reported. Another node that speaks for it may not have heard yet of
   * what was refused, or removed: of what runs it knows.
   */
  private goesBack(before: Observed, { site, version, replicas }: Observed): boolean {
    if (compareVersions(version, before.version) >= 0) return false;
    return !this.cloud.site(site).several || (before.state === 'accepted' && replicas.length > 0);
  }

  private judged(m: Stored): void {
    const state = siteStateSchema.parse(jsonOf(m));
    const before = this.states.get(state.site);
    this.states.set(state.site, state);
    if (before?.phase !== state.phase) this.cloud.say('site-states', `${state.site} is ${state.phase}`);
  }

  private get now(): number {
    return this.cloud.timeline.now;
  }
}

/** Whether residency lets a workload run where these are. */
export function mayRunIn(jurisdictions: readonly string[], { spec }: Workload): boolean {
  const { allow, deny } = spec.placement.residency ?? {};
  const allowed = allow === undefined || jurisdictions.some((j) => allow.includes(j));
  return allowed && !jurisdictions.some((j) => deny?.includes(j));
}

/** Reports are counted from the clock. */
const FIRST_REPORT = Date.UTC(2026, 0, 1);

function isReport(m: Stored): boolean {
  return matches('observed.*.workload.>', m.subject);
}
