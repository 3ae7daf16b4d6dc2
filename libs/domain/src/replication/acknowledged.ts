import { compareVersions, type Observed } from '@skerry/contracts';
import type { Delivered } from './differences.js';

/** Whether a site's report says that this tombstone was carried out, so that it need not be kept. */
export function acknowledges(
  report: Pick<Observed, 'state' | 'version'>,
  there: Pick<Delivered, 'kind' | 'version'>,
): boolean {
  return (
    there.kind === 'Tombstone' &&
    report.state === 'absent' &&
    compareVersions(report.version, there.version) >= 0
  );
}
