import { readFileSync } from 'node:fs';

/** Names one process for ever: a number alone is given again, with its start time and boot it is not. */
export interface KnownProcess {
  pid: number;
  /** See `startTimeOf`. */
  startTime: string;
}

let bootId: string | undefined;

/** When a process started: the boot's id and clock ticks since then. Undefined when it is gone. */
export function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in brackets may itself hold blanks and brackets: fields begin after the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    bootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return fields[0] === 'Z' ? undefined : `${bootId}:${fields[19] ?? ''}`;
  } catch {
    return undefined; // It has ended.
  }
}

/** Whether exactly this process runs still. */
export function isRunning({ pid, startTime }: KnownProcess): boolean {
  return startTimeOf(pid) === startTime;
}

/** What a file says of a process, or undefined when it is no such thing. */
export function asKnownProcess(value: unknown): KnownProcess | undefined {
  if (typeof value !== 'object' || value === null || !('pid' in value) || !('startTime' in value))
    return undefined;
  const { pid, startTime } = value;
  const named = typeof pid === 'number' && pid > 1 && typeof startTime === 'string';
  return named ? { pid, startTime } : undefined;
}

/** Whether a process has a handler for a signal, by its number: before that it would just die of it. True where that cannot be seen. */
export function catches(pid: number, signal: number): boolean {
  try {
    const caught = /^SigCgt:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return caught === undefined || ((BigInt(`0x${caught}`) >> BigInt(signal - 1)) & 1n) === 1n;
  } catch {
    return true; // It has ended: there is nothing to wait for.
  }
}
