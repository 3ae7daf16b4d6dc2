import { Inject, Injectable } from '@nestjs/common';
import { StorageFull, type Bus, type Following, type Headers } from '@skerry/bus';
import { observedSchema, STREAMS, type Node, type Observed } from '@skerry/contracts';
import { BUS } from '@skerry/service';

/** A report that nothing of a workload is left at a site. */
export interface Absence {
  site: string;
  subject: string;
  sequence: number;
}

/** Stream `OBSERVED`: the newest report of each workload and node at each site. */
@Injectable()
export class ReportsStore {
  /** Absences stored here, oldest first, until they are taken. */
  private readonly absences: (Absence & { at: number })[] = [];

  constructor(@Inject(BUS) private readonly bus: Bus) {}

  /** Stores a report, once per message id within the stream's duplicate window. `now` is monotonic ms. */
  async put(
    subject: string,
    report: Observed | Node,
    options: { messageId?: string; headers: Headers },
    now: number,
  ): Promise<void> {
    const { sequence } = await this.bus.publish(subject, report, options);
    if (report.kind === 'Observed' && report.state === 'absent') {
      this.absences.push({ site: report.site, subject, sequence, at: now });
    }
  }

  /** Takes the absences that were stored before `until`. */
  takeAbsences(until: number): Absence[] {
    const later = this.absences.findIndex((a) => a.at >= until);
    return this.absences.splice(0, later === -1 ? this.absences.length : later);
  }

  /** Looks once through all reports for absences that an earlier process left; `onEnd` when it has seen them all. */
  findAbsences(now: number, onEnd: () => void): Promise<Following> {
    return this.bus.follow(
      STREAMS.OBSERVED.name,
      (message) => {
        const parsed = observedSchema.safeParse(message.json());
        if (!parsed.success || parsed.data.state !== 'absent') return;
        const { site } = parsed.data;
        this.absences.push({ site, subject: message.subject, sequence: message.sequence, at: now });
      },
      { filters: ['observed.*.workload.>'], onCaughtUp: onEnd },
    );
  }

  /** Deletes exactly this report; nothing happens when a newer one has taken its place. */
  async drop(sequence: number): Promise<void> {
    await this.bus.deleteMessage(STREAMS.OBSERVED.name, sequence);
  }

  async dropSite(site: string): Promise<void> {
    await this.bus.purge(STREAMS.OBSERVED.name, `observed.${site}.>`);
  }

  isFull(error: unknown): boolean {
    return error instanceof StorageFull;
  }
}
