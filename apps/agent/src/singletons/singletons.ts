import type { Ownership } from '@skerry/contracts';
import { leaseOf } from '@skerry/domain';
import type { HubSilence } from '../hub-silence.js';
import type { Log } from '../log.js';
import type { ReplicaRunner } from '../replicas/replica-runner.js';
import type { Folders } from '../site-file.js';
import { LeaseDeadline } from './lease-deadline.js';
import { epochOf } from './ownership.js';
import { ReplicaEndpoint } from './replica-endpoint.js';

/** What runs here at most once anywhere: it can ask whether it still owns, and ends by itself when nobody tells it that it does. */
export class Singletons {
  readonly endpoint: ReplicaEndpoint;
  private readonly file: LeaseDeadline;
  private runner: Pick<ReplicaRunner, 'byToken'> | undefined;

  constructor(
    places: Folders,
    private readonly hub: HubSilence,
    log: Log,
  ) {
    this.endpoint = new ReplicaEndpoint(places.endpoint, (token) => this.ownershipOf(token), log);
    this.file = new LeaseDeadline(places.leaseDeadline, log);
  }

  /** Answers for the replicas of this runner. */
  serve(runner: ReplicaRunner): void {
    this.runner = runner;
  }

  /** The file that keepers read; `ready` resolves when it says until when the present lease lasts. */
  get deadline() {
    const ready = async () => {
      await this.hub.keep();
      await this.renew();
    };
    return { path: this.file.path, ready };
  }

  /** The lease is as the hub gave it last: the keepers go by it from now on. */
  async renew(): Promise<void> {
    const { lease } = this.hub;
    if (lease !== undefined) await this.file.renew(lease.sentAtMs);
  }

  /** Who owns the singleton that has this token, and for how long that is certain; undefined for any other. */
  ownershipOf(token: string): Ownership | undefined {
    const found = this.runner?.byToken(token);
    const assignment = found?.workload.assignment;
    if (found?.record.token !== token || assignment === undefined) return undefined;
    const { lease } = this.hub;
    const covered = lease !== undefined && lease.losses <= (assignment.losses ?? 0);
    const left = covered ? leaseOf(lease.sentAtMs).untilMs - performance.now() : 0;
    return { epoch: epochOf(assignment, found.workload.moves), leaseMs: Math.max(0, Math.floor(left)) };
  }

  close(): void {
    this.endpoint.close();
  }
}
