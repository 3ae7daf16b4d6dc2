import { Injectable } from '@nestjs/common';
import type { BucketChange } from '@skerry/bus';
import type { Site, SiteState } from '@skerry/contracts';
import { siteFacts, type SiteFacts } from '@skerry/domain';
import { digestOf, siteDigestOf } from './digest.js';
import { SteadyClock } from './steady-clock.js';

/** Sites as decisions see them: what an operator says and what inventory knows, merged once per change. */
@Injectable()
export class SitesStore {
  private readonly specs = new Map<string, Site>();
  private readonly states = new Map<string, SiteState>();
  private readonly facts = new Map<string, SiteFacts>();
  private readonly digests = new Map<string, string>();
  private sorted: readonly SiteFacts[] | undefined;
  private rootDigest: string | undefined;

  constructor(readonly clock: SteadyClock) {}

  /** Returns whether it can matter to a decision. */
  applySpec(change: BucketChange<Site>): boolean {
    if (change.kind === 'malformed') return false;
    // A removed site can never be chosen again and is not worth a line in every explanation.
    if (change.kind === 'put' && change.value.membership !== 'removed')
      this.specs.set(change.key, change.value);
    else this.specs.delete(change.key);
    this.merge(change.key);
    return true;
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
    return { site: this.specs.get(name), state: this.states.get(name) };
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
    if (spec) this.facts.set(name, siteFacts(spec, this.states.get(name)));
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
