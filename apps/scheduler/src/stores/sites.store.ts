import { Injectable } from '@nestjs/common';
import type { BucketChange } from '@skerry/bus';
import type { Site, SiteState } from '@skerry/contracts';
import { siteFacts, type SiteFacts } from '@skerry/domain';
import { digestOf } from './digest.js';

/** Sites as decisions see them: what an operator says and what inventory knows, merged once per change. */
@Injectable()
export class SitesStore {
  private readonly specs = new Map<string, Site>();
  private readonly states = new Map<string, SiteState>();
  private readonly facts = new Map<string, SiteFacts>();
  private readonly digests = new Map<string, string>();
  private sorted: readonly SiteFacts[] | undefined;

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
    if (change.kind === 'put') this.states.set(change.key, change.value);
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

  /** Digest of everything a decision may read of the site. */
  digest(name: string): string {
    const known = this.digests.get(name);
    if (known !== undefined) return known;
    const facts = this.facts.get(name);
    const state = facts?.state;
    const made = digestOf([facts?.site, state?.phase, state?.since, state?.lastHeartbeatAt, state?.capacity]);
    this.digests.set(name, made);
    return made;
  }

  private merge(name: string): void {
    this.sorted = undefined;
    this.digests.delete(name);
    const spec = this.specs.get(name);
    if (spec) this.facts.set(name, siteFacts(spec, this.states.get(name)));
    else this.facts.delete(name);
  }
}

function differ(a: SiteState, b: SiteState): boolean {
  return (
    a.phase !== b.phase || a.since !== b.since || JSON.stringify(a.capacity) !== JSON.stringify(b.capacity)
  );
}
