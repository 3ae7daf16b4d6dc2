import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { Roles } from '@skerry/service';
import { Fold } from './handlers/fold.handler.js';

/** What only one instance does at a time: it writes the read model, says what changes, and announces phases. */
@Injectable()
export class Active implements OnApplicationBootstrap {
  constructor(
    @Inject(Roles) private readonly roles: Roles,
    private readonly fold: Fold,
  ) {}

  onApplicationBootstrap(): void {
    this.roles.hold('telemetry', {
      start: (epoch) => this.fold.start(epoch),
      stop: () => this.fold.stop(),
    });
  }
}
