import type { DatasetSpec, Site, Workload } from '@skerry/contracts';
import { mayReside } from '../placement/checks/residency.js';
import { copyMayBe } from './admit-copies.js';
import type { CopySite } from './choose-copies.js';
import { fixedHome } from './home.js';

/** A workload that says it uses a dataset. */
export interface CopyUser {
  /** As `why` of a copy names it. */
  readonly key: string;
  readonly workload: Pick<Workload, 'spec'>;
  /** Sites where replicas of it are placed. */
  readonly at: ReadonlySet<string>;
}

/** What is known of sites beyond what an operator says of them. */
export interface CopyKnowledge {
  /** It answers, or is not given up yet. */
  readonly isHeard: (site: string) => boolean;
  /** How the copy there stands. */
  readonly said: (site: string) => Pick<CopySite, 'whole' | 'settled'>;
}

/** Every site as the choice of a dataset's copies sees it. `users` are named in the order given. */
export function copySites(
  spec: DatasetSpec,
  sites: readonly Site[],
  users: readonly CopyUser[],
  { isHeard, said }: CopyKnowledge,
): CopySite[] {
  const home = fixedHome(spec);
  return sites.map((site) => ({
    name: site.name,
    allowed: copyMayBe(spec, site).ok,
    ready: site.membership === 'joined' && isHeard(site.name),
    users: [
      ...(home === site.name ? ['its home'] : []),
      ...users.filter(({ at }) => at.has(site.name)).map(({ key }) => key),
    ],
    likely: users.filter(({ workload }) => mayReside(site, workload.spec.placement.residency)).length,
    ...said(site.name),
  }));
}
