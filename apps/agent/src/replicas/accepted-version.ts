import { compareVersions, type Allotment, type Assignment } from '@skerry/contracts';

/** Which version a node runs of a workload that it shares with others: the one that was accepted for the site. */
export function acceptedOf(
  object: Assignment,
  {
    running,
    allotment,
    change,
  }: {
    running: Assignment | undefined;
    allotment: Allotment | undefined;
    /** The local change that `object` is of. */
    change: string | undefined;
  },
): Assignment | undefined {
  if (allotment === undefined) return running ?? object;
  const same = compareVersions(allotment.version, object.version) === 0;
  if (same && allotment.change === change) return object;
  if (running !== undefined && compareVersions(allotment.version, running.version) === 0) return running;
  // What was accepted has not come here yet: until then the newest that did.
  return compareVersions(allotment.version, object.version) > 0 ? object : running;
}
