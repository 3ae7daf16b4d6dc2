import type { DatasetList } from '@skerry/contracts';

/** Which site writes a dataset, on one line: for one whose home moves, with whom, since which epoch, and whether it is leaving. */
export function homeText({ spec: { home }, homeNow }: Pick<DatasetList[number], 'spec' | 'homeNow'>): string {
  if (home === undefined) return 'none';
  if (typeof home === 'string') return home;
  if (homeNow === undefined) return `with ${home.with}, nowhere yet`;
  const { site, epoch, closing } = homeNow;
  return `${site} in epoch ${epoch}, with ${home.with}${closing === true ? ', which leaves it' : ''}`;
}
