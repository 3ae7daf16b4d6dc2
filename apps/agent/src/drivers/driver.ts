import type { DriverName, Resources, Run } from '@skerry/contracts';
import type { Live } from './live.js';

/** What a driver needs to start one replica. */
export interface Launch {
  /** The replica's id; also the name of its folder. */
  readonly id: string;
  readonly run: Run;
  readonly resources: Resources;
  /** The whole environment; a secret: never logged, never in argv. */
  readonly env: Readonly<Record<string, string>>;
  /** Of a singleton: a file with the time, in ms of the machine's uptime, after which it is killed though no agent does it. */
  readonly deadlineFile?: string | undefined;
  /** Asked directly before its command begins: the lease that it began under may have run out meanwhile. */
  readonly mayBegin: () => boolean;
}

/** `heldBack`: nothing failed, it was only not to begin any more. */
export type Started =
  { readonly ok: true } | { readonly ok: false; readonly reason: string; readonly heldBack?: true };
/** `code` is unknown when nobody could collect it; `note` says in words why it ended, where that is known. */
export interface Ended {
  readonly code?: number;
  readonly note?: string;
}
/** What a driver answers of a replica that may not begin any more. */
export const HELD_BACK = { ok: false, reason: 'it may not run any more', heldBack: true } as const;

export type Adopted = { readonly alive: true } | ({ readonly alive: false } & Ended);

/** Runs replicas in one way. What it starts outlives it and is found again by `adopt`. */
export interface Driver {
  readonly name: DriverName;
  /** True when what it starts must be known on the disk before it runs. */
  readonly durable: boolean;
  /**
   * Starts a replica. `commit` is awaited before its command begins: what it was given finds the replica again.
   * Resolves when the command runs, or with why it does not.
   */
  start(launch: Launch, commit: (live: Live) => Promise<void>): Promise<Started>;
  /** Looks after one that an earlier agent started, when it still runs. */
  adopt(id: string, live: Live | undefined): Promise<Adopted>;
  /** Signals it, kills what is left after `graceMs`; resolves when nothing of it runs. */
  stop(id: string, live: Live | undefined, stop: Run['stop']): Promise<void>;
  /** Removes what an ended replica left on the machine. */
  release(id: string, live: Live | undefined): Promise<void>;
  /** Called once for each replica that ends by itself, with nothing of it left running. */
  onEnded(listener: (id: string, ended: Ended) => void): void;
}
