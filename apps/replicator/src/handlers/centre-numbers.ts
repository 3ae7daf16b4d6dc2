import { randomBytes } from 'node:crypto';
import { centreOrigin, workloadKey, type DatasetRef } from '@skerry/contracts';

const STORE_BYTES = 8;

/** Under which origin what people append at the centre lies, and up to which number this instance has given it. */
interface Given {
  incarnation: number;
  origin: string;
  upTo: number;
}

/**
 * Numbers what people append at the centre: for each log under a store that this instance draws, and that no other goes on with.
 * Another one is drawn where the hub has not got all that was given under it, or may get some of it yet: it may have lost what sites
 * have read, and these would pass over other entries of the same numbers. To be called for one batch of a log at a time.
 */
export class CentreNumbers {
  /** By log. Without those of which it is not known what became of the last. */
  private readonly given = new Map<string, Given>();

  /** Where the next entries of a log go. `newestOf`: up to which number the hub has an origin. */
  async next(
    ref: DatasetRef,
    newestOf: (origin: string) => Promise<number>,
  ): Promise<{ origin: string; from: number }> {
    const key = keyOf(ref);
    const before = this.given.get(key);
    // Until it is said how far they went.
    this.given.delete(key);
    if (before?.incarnation === ref.incarnation) {
      const { origin, upTo } = before;
      if ((await newestOf(origin)) === upTo) return { origin, from: upTo + 1 };
    }
    return { origin: centreOrigin(randomBytes(STORE_BYTES).toString('hex')), from: 1 };
  }

  /** The hub has said that it stored an origin's entries up to this number, and none after it. */
  stored(ref: DatasetRef, origin: string, upTo: number): void {
    this.given.set(keyOf(ref), { incarnation: ref.incarnation, origin, upTo });
  }
}

const keyOf = ({ project, name }: DatasetRef) => workloadKey(project, name);
