/** Something that must not happen and that no caller waits for: a handler that threw, a dead letter that could not be stored. */
export interface Alarm {
  /** What was being done, in a few words. */
  readonly what: string;
  readonly subject?: string;
  readonly error: unknown;
}
export type OnAlarm = (alarm: Alarm) => void;

/** Where alarms go when nobody asked for them: the process's warnings. */
export const warn: OnAlarm = ({ what, subject, error }) => {
  const where = subject === undefined ? '' : ` (${subject})`;
  process.emitWarning(`${what}${where}: ${reasonOf(error)}`);
};

/** What went wrong, as text. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
