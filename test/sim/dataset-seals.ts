import type { Dataset } from '@skerry/contracts';
import type { Cloud } from './cloud.js';
import type { Broken } from './invariants.js';
import { PROJECT } from './people.js';
import type { SimNode } from './sim-node.js';

type Copy = NonNullable<ReturnType<NonNullable<SimNode['agent']>['copies']['get']>>['copy'];

/** What no value of an encrypted dataset is without. */
const MARK = 'secret-';
/** More keys than there are. */
const ALL_KEYS = 100_000;

/** Encrypted datasets: nothing of what is in them leaves a site in clear. */
export class DatasetSeals {
  constructor(
    private readonly cloud: Cloud,
    private readonly fail: (broken: Broken) => void,
  ) {}

  /** From now on looks at all that goes up from sites. */
  watch(): void {
    for (const site of this.cloud.sites)
      site.onCrossing(({ way, subject, bytes }) => {
        if (way === 'up' && Buffer.from(bytes).includes(MARK))
          this.fail({
            invariant: 'sealed',
            detail: `${site.name} says in clear what it wrote, with ${subject}`,
          });
      });
  }

  valueAt(_name: string, _site: string, value: string): string {
    return `${MARK}${value}`;
  }

  read(): void {
    // What is read is looked at in the end.
  }

  /** One of the copies of a dataset at these nodes: all have to be the same. */
  copyAt(nodes: readonly SimNode[], { name }: Dataset): Copy | undefined {
    for (const { agent } of nodes) {
      const copy = agent?.copies.get(`${PROJECT}.${name}`)?.copy;
      if (copy !== undefined) return copy;
    }
    return undefined;
  }

  /** All that it shows. */
  shownBy(copy: Copy | undefined) {
    const keys = copy?.held.firstAfter({ after: '', limit: ALL_KEYS, accepts: () => true }) ?? [];
    return new Map(keys.map((key) => [key, copy?.show(key) ?? {}] as const));
  }
}
