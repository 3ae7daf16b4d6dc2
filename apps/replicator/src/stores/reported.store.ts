import { Inject, Injectable } from '@nestjs/common';
import type { Bus } from '@skerry/bus';
import { observedSchema, observedSubject, parseAcross, parseWorkloadKey, STREAMS } from '@skerry/contracts';
import { BUS } from '@skerry/service';

/** What sites said last, read from `OBSERVED` when it is asked for: only the end of a singleton depends on it. */
@Injectable()
export class ReportedStore {
  constructor(@Inject(BUS) private readonly bus: Bus) {}

  /** Those of these sites whose newest report of a workload is not that nothing of it is left; one that never reported is none. */
  async holding(key: string, sites: readonly string[]): Promise<ReadonlySet<string>> {
    const holding = new Set<string>();
    if (sites.length === 0) return holding;
    const { project, name } = parseWorkloadKey(key);
    const filters = sites.map((site) => observedSubject(site, project, name));
    const following = await this.bus.follow(
      STREAMS.OBSERVED.name,
      (m) => {
        const [, site = ''] = m.subject.split('.');
        const report = parseAcross(observedSchema, m.json());
        // What cannot be read says nothing of an end.
        if (report.ok && report.value.state === 'absent') holding.delete(site);
        else holding.add(site);
      },
      { filters },
    );
    try {
      await following.caughtUp;
    } finally {
      await following.drain();
    }
    return holding;
  }
}
