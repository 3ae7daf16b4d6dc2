import { Inject, Injectable } from '@nestjs/common';
import { Conflict, StorageFull, type Bus, type Following, type Headers } from '@skerry/bus';
import {
  observedSchema,
  siteLogSubject,
  STREAMS,
  type JournalBatch,
  type Node,
  type Observed,
} from '@skerry/contracts';
import { BUS } from '@skerry/service';
import { z } from 'zod';

/** Writes of one report that lose against other instances before it is given up: the site sends it again. */
const TRIES = 4;

/** What tells an older report from a newer one. */
const ageSchema = z.looseObject({ report: z.number(), startedAt: z.string().default('') });
type Age = z.infer<typeof ageSchema>;

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
  /** The newest report of each subject, as far as this instance knows. */
  private readonly newest = new Map<string, { age: Age; sequence: number }>();

  constructor(@Inject(BUS) private readonly bus: Bus) {}

  /**
   * Stores a report unless a newer one is there: one that was long on its way, or taken by an instance that was stopped,
   * never hides what is newer. Once per message id within the stream's duplicate window. `now` is monotonic ms.
   */
  async put(
    subject: string,
    report: Observed | Node,
    options: { messageId?: string; headers: Headers },
    now: number,
  ): Promise<void> {
    const sequence = await this.store(subject, report, options);
    if (sequence !== undefined && report.kind === 'Observed' && report.state === 'absent') {
      this.absences.push({ site: report.site, subject, sequence, at: now });
    }
  }

  /** Stores entries of a site's journal behind those that are there; events apart, so that they push out nothing else. */
  async addJournal(batch: JournalBatch, options: { messageId?: string; headers: Headers }): Promise<void> {
    const kind = batch.entries.every((entry) => entry.class === 'event') ? 'event' : 'journal';
    await this.bus.publish(siteLogSubject(batch.site, kind), batch, options);
  }

  /** Its sequence; undefined when one that is as new is there. */
  private async store(
    subject: string,
    report: Observed | Node,
    options: { messageId?: string; headers: Headers },
  ): Promise<number | undefined> {
    const age = ageSchema.parse(report);
    for (let tries = 1; ; tries++) {
      const known = this.newest.get(subject);
      if (known !== undefined && !isNewer(age, known.age)) return undefined;
      try {
        const expect = { sequence: known?.sequence ?? 0 };
        const { sequence } = await this.bus.publish(subject, report, {
          ...options,
          expect,
          group: STREAMS.OBSERVED.name,
        });
        this.newest.set(subject, { age, sequence });
        return sequence;
      } catch (error) {
        if (!(error instanceof Conflict) || error.lastSequence === undefined || tries === TRIES) throw error;
        await this.learn(subject, error.lastSequence);
      }
    }
  }

  /** What another instance, or an earlier process, has stored. */
  private async learn(subject: string, sequence: number): Promise<void> {
    const message = sequence === 0 ? undefined : await this.bus.message(STREAMS.OBSERVED.name, sequence);
    const parsed = ageSchema.safeParse(message?.json());
    if (parsed.success) this.newest.set(subject, { age: parsed.data, sequence });
    else this.newest.delete(subject);
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

  /** Forgets what it knows of a subject that is reported no more. */
  forget(subject: string): void {
    this.newest.delete(subject);
  }

  isFull(error: unknown): boolean {
    return error instanceof StorageFull;
  }
}

/** Reports rise in number; a machine set up anew counts from its clock, and has started later. */
function isNewer(report: Age, known: Age): boolean {
  return report.report > known.report || report.startedAt > known.startedAt;
}
