import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Readiness, Roles } from '@skerry/service';
import { MoveWorkloads } from './handlers/move-workloads.handler.js';
import { PlaceWorkloads } from './handlers/place-workloads.handler.js';

/** Between two looks whether this instance may try for the lease. */
const LOOK_MS = 50;

/**
 * One instance decides at a time: capacity and budgets span keys, so that a compare-and-set for each key is not enough.
 * An instance that has not caught up does not try: it would decide on sites that it does not know yet.
 */
@Injectable()
export class Active implements OnApplicationBootstrap, OnApplicationShutdown {
  private timer: NodeJS.Timeout | undefined;

  constructor(
    @Inject(Roles) private readonly roles: Roles,
    @Inject(Readiness) private readonly readiness: Readiness,
    private readonly placeWorkloads: PlaceWorkloads,
    private readonly moveWorkloads: MoveWorkloads,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => this.tryWhenReady(), LOOK_MS);
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  private tryWhenReady(): void {
    if (!this.readiness.report().ready) return;
    clearInterval(this.timer);
    const role = this.roles.hold('scheduler', {
      start: async () => {
        await this.placeWorkloads.start(() => role.epoch !== undefined);
        this.moveWorkloads.start();
      },
      stop: async () => {
        await this.moveWorkloads.stop();
        await this.placeWorkloads.stop();
      },
    });
  }
}
