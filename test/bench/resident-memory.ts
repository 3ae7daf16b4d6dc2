import { readFileSync } from 'node:fs';

/** Resident memory of a process, MiB; 0 when it is gone. */
export function residentMiB(pid: number | undefined): number {
  if (pid === undefined) return 0;
  try {
    const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return Number(line?.[1] ?? 0) / 1024;
  } catch {
    return 0; // It has ended.
  }
}
