import type { DriverName, Node } from '@skerry/contracts';
import type { Room } from '@skerry/domain';
import { ARCH, OS } from '../node-facts.js';
import { bootId } from '../process/process-identity.js';
import type { SiteFile } from '../site-file.js';
import { AGENT_VERSION } from '../version.js';

/** What this machine is, said once at each start of its agent. */
export function nodeReport(
  site: SiteFile,
  facts: { room: Room; drivers: DriverName[]; cgroup: Node['cgroup']; startedAt: string },
): Node {
  return {
    kind: 'Node',
    site: site.site,
    node: site.node,
    agentVersion: AGENT_VERSION,
    os: OS,
    arch: ARCH,
    allocatable: { ...facts.room },
    drivers: facts.drivers,
    cgroup: facts.cgroup,
    address: site.address,
    ...(Object.keys(site.labels).length === 0 ? {} : { labels: site.labels }),
    bootId: bootId(),
    startedAt: facts.startedAt,
    reportedAt: new Date().toISOString(),
    // Starts are told apart by the clock.
    report: Date.now(),
  };
}
