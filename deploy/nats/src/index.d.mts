/** Where a nats-server came from: a choice of the user's, a download checked by checksum, or one checked by apt. */
export type NatsServerSource = 'NATS_SERVER' | 'PATH' | 'release' | 'debian';

/** A nats-server that is new enough, ready to be run. */
export interface NatsServer {
  /** Absolute path of the binary. */
  readonly path: string;
  /** Such as `2.15.1`, as the binary itself says. */
  readonly version: string;
  readonly from: NatsServerSource;
  /** Whether a `release` or `debian` copy was in the cache folder already. */
  readonly cached: boolean;
}

/** A pinned release: the version, and the checksum of its archive for each platform such as `linux-amd64`. */
export interface PinnedRelease {
  readonly version: string;
  readonly sha256: Readonly<Record<string, string>>;
}

/** What decides where a nats-server may come from. Every field has a default that suits a clone of this repository. */
export interface EnsureOptions {
  /** Where copies are kept. Default: `.cache` at the top of the repository. */
  readonly cacheDir?: string;
  /** Takes one line for each thing that takes time. Default: says nothing. */
  readonly log?: (line: string) => void;
  /** Default: `process.env`. Read: `NATS_SERVER`, `PATH`, `SKERRY_NATS_RELEASE_URL` (a mirror of the releases). */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Default: `releases.json` of this room. */
  readonly release?: PinnedRelease;
  /** Default: the machine's own, such as `linux-amd64`. */
  readonly platform?: string;
  /** The machine's apt folder. Default: `/etc/apt`. */
  readonly aptDir?: string;
  /** How long the release's server may be silent. Default: 15,000. */
  readonly idleTimeoutMs?: number;
}

/** The oldest nats-server that Skerry runs on: 2.14.0 has the durable sourcing that the downlink needs. */
export declare const MINIMUM_VERSION: string;

/**
 * A nats-server of at least `MINIMUM_VERSION`, in this order: `NATS_SERVER`; `PATH`; the cache folder; the pinned
 * release for the platform, checked by its checksum; Debian's package from a newer suite, checked by apt's signatures
 * and unpacked into the cache folder, never installed. Several processes may call it at once.
 *
 * Throws `NatsServerMissing` when none is to be had, or when the one that `NATS_SERVER` names cannot be used.
 */
export declare function ensureNatsServer(options?: EnsureOptions): Promise<NatsServer>;

/** The path that `ensureNatsServer` finds with its defaults, looked for once per process. For tests. */
export declare function findNatsServer(): Promise<string>;

/** Says what was tried, why each failed, and the three ways to mend it. */
export declare class NatsServerMissing extends Error {}

/** A command that Debian packages: run `path` with `env` added to the environment. */
export interface DebianTool {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * A tool that only tests need: the one on `PATH`, else Debian's package of the machine's own suite with the libraries
 * that it lacks, unpacked into the cache folder, never installed. Throws with the reason when there is none. For `swift`
 * (OpenStack's object store) `path` is a python3, which finds Swift's modules by `env`.
 */
export declare function ensureDebianTool(
  name: 'redis-server' | 'iptables' | 'swift',
  options?: Pick<EnsureOptions, 'cacheDir' | 'log' | 'env' | 'aptDir'>,
): Promise<DebianTool>;

/** Whether version `a` (such as `2.15.1`, a `v` before it or a suffix after it is ignored) is at least `b`. */
export declare function isAtLeast(a: string, b: string): boolean;
