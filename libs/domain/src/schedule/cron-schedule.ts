import type { Cron } from '@skerry/contracts';
import { Cron as Pattern } from 'croner';

type Schedule = Pick<Cron, 'schedule' | 'timeZone'>;

/** What is wrong with a schedule: its field, and why. Undefined for one that will be due. `at` is any moment, in ms since the epoch. */
export function scheduleFault(
  { schedule, timeZone }: Schedule,
  at: number,
): { field: 'schedule' | 'timeZone'; problem: string } | undefined {
  if (!isTimeZone(timeZone)) return { field: 'timeZone', problem: 'no such time zone' };
  const fields = schedule.trim().split(/\s+/).length;
  if (fields !== 5 && fields !== 6) return { field: 'schedule', problem: `${fields} fields` };
  try {
    const next = patternOf({ schedule, timeZone }).nextRun(new Date(at));
    return next === null ? { field: 'schedule', problem: 'is never due' } : undefined;
  } catch (error) {
    return { field: 'schedule', problem: error instanceof Error ? error.message : String(error) };
  }
}

/** The first due time after `at`; undefined when there is none. All in ms since the epoch. */
export function dueAfter(schedule: Schedule, at: number): number | undefined {
  return patternOf(schedule).nextRun(new Date(at))?.getTime();
}

/** The last due time at or before `at`; undefined when there is none. */
export function dueBefore(schedule: Schedule, at: number): number | undefined {
  // The package looks before a moment, to the second.
  const [last] = patternOf(schedule).previousRuns(1, new Date(Math.floor(at / 1_000) * 1_000 + 1_000));
  return last?.getTime();
}

function patternOf({ schedule, timeZone }: Schedule): Pattern {
  return new Pattern(schedule, { timezone: timeZone, mode: '5-or-6-parts', paused: true });
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
