import { Injectable } from '@nestjs/common';
import type { BucketChange } from '@skerry/bus';
import type { Site, SiteState } from '@skerry/contracts';
import { ownershipEndedAfterMs, siteFacts, type SiteFacts } from '@skerry/domain';
import { digestOf, siteDigestOf } from './digest.js';
import { SteadyClock } from './steady-clock.js';

/** Longest time that a workload may be given to end (`run.stop.graceMs`). */
const GRACE_MAX_MS = 600_000;
/** A site that was removed longer ago by the wall clock, which may be wrong by as much, owns nothing any more. */
const LATELY_MS = 1_800_000;

/** Sites as decisions see them: what an operator says and what inventory knows, merged once per change. */
@Injectable()
export class SitesStore {
  private readonly specs = new Map<string, Site>();
  private readonly states = new Map<string, SiteState>();
  private readonly facts = new Map<string, SiteFacts>();
  private readonly digests = new Map<string, string>();
  /** Removed sites that may still own something: since when they get no lease, by `clock`. */
  private readonly removedSince = new Map<string, number>();
  private sorted: readonly SiteFacts[] | undefined;
  private rootDigest: string | undefined;

  constructor(readonly clock: SteadyClock) {}

  /** Returns whether it can matter to a decision. */
  applySpec(change: BucketChange<Site>): boolean {
    if (change.kind === 'malformed') return false;
    if (change.kind === 'gone') this.drop(change.key);
    else if (change.value.membership === 'removed') this.remove(change.value);
    else this.specs.set(change.key, change.value);
    this.merge(change.key);
    return true;
  }

  /** In how many ms a removed site that is still seen is to be dropped; undefined when it is not seen, or no removed one. */
  dropAfterMs(name: string): number | undefined {
    const since = this.removedSince.get(name);
    return since === undefined ? undefined : Math.max(0, since + this.endsAfterMs(name) - this.clock.now());
  }

  /** A removed site cannot own anything any more. */
  drop(name: string): void {
    this.specs.delete(name);
    this.removedSince.delete(name);
    this.merge(name);
  }

  /** The clock went by so much to where the wall clock is: what was noted by it goes along. */
  shift(byMs: number): void {
    for (const [name, since] of this.removedSince) this.removedSince.set(name, since + byMs);
    for (const [name, state] of this.states) {
      if (state.silentSince === undefined) continue;
      const silentSince = new Date(Date.parse(state.silentSince) + byMs).toISOString();
      this.states.set(name, { ...state, silentSince });
      this.merge(name);
    }
    for (const name of this.removedSince.keys()) this.merge(name);
  }

  /** Returns whether it can matter to a decision: inventory also writes what only people look at. */
  applyState(change: BucketChange<SiteState>): boolean {
    if (change.kind === 'malformed') return false;
    const before = this.states.get(change.key);
    if (change.kind === 'put') this.states.set(change.key, this.noted(change.value, before));
    else this.states.delete(change.key);
    const matters = change.kind === 'gone' || before === undefined || differ(before, change.value);
    this.merge(change.key);
    return matters;
  }

  /** By name. */
  all(): readonly SiteFacts[] {
    this.sorted ??= [...this.facts.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
    return this.sorted;
  }

  get(name: string): SiteFacts | undefined {
    return this.facts.get(name);
  }

  /** What is known of a site, also of one that decisions do not see. */
  parts(name: string): { site: Site | undefined; state: SiteState | undefined } {
    return { site: this.specs.get(name), state: this.stateOf(name) };
  }

  /** Names of all sites of which anything is known. */
  names(): Set<string> {
    return new Set([...this.specs.keys(), ...this.states.keys()]);
  }

  /** Digest of everything that a decision may read of the sites; made anew when one has changed. */
  root(): string {
    this.rootDigest ??= rootOf(this.all(), (facts) => this.digest(facts));
    return this.rootDigest;
  }

  /** With when the site fell silent, by the clock that decisions are made by; of what is known already, as it was noted then. */
  private noted(state: SiteState, before: SiteState | undefined): SiteState {
    if (state.phase !== 'suspect' && state.phase !== 'lost') return state;
    const known = before?.revision === state.revision ? before.silentSince : undefined;
    const since = () => new Date(this.clock.now() - (state.silentMs ?? 0)).toISOString();
    return { ...state, silentSince: known ?? since() };
  }

  /**
   * A removed site can never be chosen again and is not worth a line in every explanation; but what it owned may have been
   * taken from it by force. Until its last lease must have run out it is seen as one that is lost since it was removed. Which
   * one that was before this process began is not known: it counts anew for those that were removed lately by the wall clock.
   */
  private remove(site: Site): void {
    const { name } = site;
    const known = this.specs.has(name);
    const lately = Date.now() - Date.parse(site.updatedAt) < LATELY_MS;
    if (this.removedSince.has(name) || (!known && !lately)) return;
    const state = this.states.get(name);
    const since = state?.phase === 'lost' ? Date.parse(state.silentSince ?? state.since) : this.clock.now();
    this.removedSince.set(name, since);
    this.specs.set(name, site);
    if (this.dropAfterMs(name) === 0) this.drop(name);
  }

  /** How long after its last lease nothing that a site owned runs there, with the longest grace that there is. */
  private endsAfterMs(name: string): number {
    return ownershipEndedAfterMs(this.states.get(name)?.agentVersion, GRACE_MAX_MS);
  }

  private stateOf(name: string): SiteState | undefined {
    const state = this.states.get(name);
    const since = this.removedSince.get(name);
    if (state === undefined || since === undefined) return state;
    return { ...state, phase: 'lost', silentSince: new Date(since).toISOString() };
  }

  private digest(facts: SiteFacts): string {
    const known = this.digests.get(facts.name);
    if (known !== undefined) return known;
    const made = siteDigestOf(facts);
    this.digests.set(facts.name, made);
    return made;
  }

  private merge(name: string): void {
    this.sorted = undefined;
    this.rootDigest = undefined;
    this.digests.delete(name);
    const spec = this.specs.get(name);
    if (spec) this.facts.set(name, siteFacts(spec, this.stateOf(name)));
    else this.facts.delete(name);
  }
}

/** Digest over sites in the order of their names. */
export function rootOf(sites: readonly SiteFacts[], digest = siteDigestOf): string {
  return digestOf(sites.map((facts) => [facts.name, digest(facts)]));
}

function differ(a: SiteState, b: SiteState): boolean {
  return (
    a.phase !== b.phase ||
    a.since !== b.since ||
    a.held?.by !== b.held?.by ||
    a.standing !== b.standing ||
    JSON.stringify(a.capacity) !== JSON.stringify(b.capacity)
  );
}
