import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { Roles, type ActiveRole } from '@skerry/service';
import { AnswerDigest } from './handlers/answer-digest.handler.js';
import { AllDatasets } from './all-datasets.js';
import { GuardDownlink } from './handlers/guard-downlink.handler.js';
import { Writers } from './writers.js';

/** All writers of `DL` at a time: one instance. The others follow what is decided and stand by. */
@Injectable()
export class Active implements OnApplicationBootstrap {
  constructor(
    @Inject(Roles) private readonly roles: Roles,
    private readonly guard: GuardDownlink,
    private readonly writers: Writers,
    private readonly answerDigest: AnswerDigest,
    private readonly datasets: AllDatasets,
  ) {}

  onApplicationBootstrap(): void {
    const role: ActiveRole = this.roles.hold('replicator', {
      start: (epoch) => this.start(() => role.epoch === epoch),
      stop: () => this.stop(),
    });
  }

  private async start(holdsLease: () => boolean): Promise<void> {
    // What lies in DL has to be known before anything is written.
    await this.guard.start({
      pause: () => this.writers.stop(),
      resume: async () => {
        await this.writers.start();
        this.answerDigest.askAll();
      },
    });
    await this.writers.start();
    this.answerDigest.start((site, sequence) => this.guard.reported(site, sequence));
    // Who never saw DL before cannot tell whether it went back in time; the sites can.
    this.answerDigest.askAll();
    await this.datasets.start(holdsLease);
  }

  private async stop(): Promise<void> {
    await this.datasets.stop();
    this.answerDigest.stop();
    await this.guard.stop();
    await this.writers.stop();
  }
}
