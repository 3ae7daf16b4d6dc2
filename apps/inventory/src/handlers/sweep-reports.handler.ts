import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import type { Following } from '@skerry/bus';
import { JsonLog } from '@skerry/service';
import { ReportsStore } from '../stores/reports.store.js';
import { SendingStore } from '../stores/sending.store.js';

/** How long a report of absence is kept: long enough for everyone who follows to have seen it. */
export const ABSENCE_KEPT_MS = 5 * 60_000;
const SWEEP_EVERY_MS = 30_000;

/**
 * Clears away reports of absence some minutes after they came in, so that `OBSERVED` holds what is and not all that
 * ever was. Each instance sweeps what it took; the active one also what lay there before it became active.
 */
@Injectable()
export class SweepReports implements OnModuleDestroy {
  private readonly timer = setInterval(() => void this.handle(performance.now()), SWEEP_EVERY_MS).unref();
  private looking: Promise<Following | undefined> | undefined;

  constructor(
    private readonly reports: ReportsStore,
    private readonly sending: SendingStore,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  start(): void {
    const found = this.reports.findAbsences(performance.now(), () => void this.stop());
    this.looking = found.catch((error: unknown) => {
      this.log.warn('reports not looked through', error);
      return undefined;
    });
  }

  async stop(): Promise<void> {
    const looking = this.looking;
    this.looking = undefined;
    await looking
      ?.then((f) => f?.drain())
      .catch((error: unknown) => this.log.warn('reports not looked through', error));
  }

  /** Drops what is due. What cannot be dropped now is left to the next active instance. */
  async handle(now: number): Promise<void> {
    for (const absence of this.reports.takeAbsences(now - ABSENCE_KEPT_MS)) {
      try {
        await this.reports.drop(absence.sequence);
        this.reports.forget(absence.subject);
        this.sending.release(absence.site, absence.subject);
      } catch (error) {
        this.log.debug(`absence ${absence.subject} not dropped`, error);
      }
    }
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }
}
