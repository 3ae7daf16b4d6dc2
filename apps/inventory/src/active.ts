import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { Roles, type ActiveRole } from '@skerry/service';
import { ClearLeft } from './handlers/clear-left.handler.js';
import { JudgeSites } from './handlers/judge-sites.handler.js';
import { SweepReports } from './handlers/sweep-reports.handler.js';

/** What only one instance does at a time: it judges the sites and clears away what is left of them. */
@Injectable()
export class Active implements OnApplicationBootstrap {
  constructor(
    @Inject(Roles) private readonly roles: Roles,
    private readonly judge: JudgeSites,
    private readonly sweep: SweepReports,
    private readonly clearLeft: ClearLeft,
  ) {}

  onApplicationBootstrap(): void {
    const role: ActiveRole = this.roles.hold('inventory', {
      start: (epoch) => {
        this.judge.start(epoch, () => role.epoch === epoch);
        this.sweep.start();
        this.clearLeft.start();
      },
      stop: async () => {
        await Promise.all([this.judge.stop(), this.sweep.stop(), this.clearLeft.stop()]);
      },
    });
  }
}
