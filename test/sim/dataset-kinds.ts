import { Random } from '@skerry/sim';

/** How datasets of a kind are played. */
interface Kind {
  /** They are part of so many seeds, and of all of a range, for who looks at them. */
  share: number;
  /** Seeds before this one found something when there were none of these, and stay as they are. */
  since: number;
  from: number;
  to: number;
  /** What their names begin with, and how many there are at most. */
  letter: string;
  most: number;
  /** Of what their writers ask for people: a digit that no others have. */
  mark: string;
  /** How long a key is written to. */
  keyMs: number;
  /** Things break for so much longer. */
  longerMs: number;
}

export const KINDS = {
  plain: {
    share: 0.2,
    since: 0,
    from: 30_000,
    to: 39_999,
    letter: 'd',
    most: 4,
    mark: '0',
    keyMs: 3_000,
    longerMs: 0,
  },
  /** Their home goes with a workload. What is written to a key is looked at over several homes. */
  moving: {
    share: 0.05,
    since: 0,
    from: 40_000,
    to: 49_999,
    letter: 'h',
    most: 2,
    mark: '1',
    keyMs: 25_000,
    longerMs: 20_000,
  },
  logs: {
    share: 0.03,
    since: 6_000,
    from: 50_000,
    to: 59_999,
    letter: 'l',
    most: 3,
    mark: '3',
    keyMs: 0,
    longerMs: 0,
  },
  /** Bounded in time or place. What has run out is read, and swept, which comes once a minute. */
  bounded: {
    share: 0.03,
    since: 6_000,
    from: 60_000,
    to: 69_999,
    letter: 'b',
    most: 3,
    mark: '2',
    keyMs: 12_000,
    longerMs: 50_000,
  },
  /** Encrypted: the hub has ciphertext alone. */
  sealed: {
    share: 0.02,
    since: 6_000,
    from: 70_000,
    to: 79_999,
    letter: 'e',
    most: 2,
    mark: '4',
    keyMs: 3_000,
    longerMs: 0,
  },
} as const satisfies Readonly<Record<string, Kind>>;
export type KindName = keyof typeof KINDS;

/** Whether a seed has datasets of a kind; the first thing that is drawn from their stream. */
export function hasKind(random: Random, { share, since, from, to }: Omit<Kind, 'letter'>): boolean {
  const { seed } = random;
  return random.chance(seed >= from && seed <= to ? 1 : seed >= since ? share : 0);
}

/** Whether a seed has encrypted datasets, which is asked before there are sites. */
export function hasSealed(seed: number): boolean {
  return hasKind(new Random(seed, 'sealed'), KINDS.sealed);
}
