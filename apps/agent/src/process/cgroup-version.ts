import { readFileSync } from 'node:fs';
import type { Resources } from '@skerry/contracts';

/** One way of the kernel to limit what processes use. */
export interface CgroupVersion {
  readonly kind: 'v1' | 'v2';
  /** Folders in which groups for replicas may be made; undefined where the kernel or our rights do not allow it. */
  prepare(name: string): string[] | undefined;
  /** Files to write in each of these folders for the limits: path and text. */
  limits(folders: readonly string[], resources: Resources): [string, string][];
  /** The file that counts processes killed for want of memory, and the word before the number. */
  oomCounter(folders: readonly string[]): { file: string; word: string } | undefined;
}

/** The text of a file of the kernel, empty when it is not there. */
export function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
