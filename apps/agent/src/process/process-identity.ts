import { readFileSync } from 'node:fs';

/** Names one process for ever: a number alone is used again, with its start time and boot it is not. */
export interface ProcessIdentity {
  pid: number;
  /** Field 22 of /proc/<pid>/stat: clock ticks after boot. */
  startTicks: number;
  bootId: string;
}

/** What /proc says of a process at this moment. */
export interface ProcessStat {
  state: string;
  parent: number;
  group: number;
  session: number;
  startTicks: number;
}

let boot: string | undefined;

/** Random for each boot of the machine; empty where there is no /proc. */
export function bootId(): string {
  boot ??= readText('/proc/sys/kernel/random/boot_id')?.trim() ?? '';
  return boot;
}

/** The process with this number now, or undefined. */
export function processStat(pid: number): ProcessStat | undefined {
  const text = readText(`/proc/${pid}/stat`);
  // The name in brackets may itself hold blanks and brackets: fields begin after the last one.
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, parent, group, session] = fields ?? [];
  const startTicks = Number(fields?.[19]);
  if (state === undefined || !Number.isFinite(startTicks)) return undefined;
  return { state, parent: Number(parent), group: Number(group), session: Number(session), startTicks };
}

/** Its identity, while it runs. */
export function identify(pid: number): ProcessIdentity | undefined {
  const stat = processStat(pid);
  return stat === undefined ? undefined : { pid, startTicks: stat.startTicks, bootId: bootId() };
}

/** Whether exactly this process runs still. One that ended and was not yet collected by its parent does not. */
export function isAlive(process: ProcessIdentity): boolean {
  if (process.bootId !== bootId()) return false;
  const stat = processStat(process.pid);
  return stat?.startTicks === process.startTicks && stat.state !== 'Z' && stat.state !== 'X';
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
