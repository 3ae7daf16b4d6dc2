import { compareVersions, type Observed } from '@skerry/contracts';

/**
 * Whether `next` replaces `known`: reports of one workload at one site rise in number, over restarts of the agent
 * too. A number that starts again (a site joined anew) wins when its version is newer.
 */
export function isNewerReport(next: Observed, known: Observed | undefined): boolean {
  if (known === undefined) return true;
  return next.report > known.report || compareVersions(next.version, known.version) > 0;
}
