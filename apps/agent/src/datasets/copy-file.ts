import { rename, rm } from 'node:fs/promises';
import type { Copy as CopyRule } from '@skerry/contracts';
import type { z } from 'zod';
import { CopyLog } from './copy-log.js';
import { headSchema } from './kept-lines.js';

export interface CopyFile {
  log: CopyLog;
  rule: CopyRule;
  /** What its first line says; undefined: it is new. */
  kept: z.infer<typeof headSchema> | undefined;
}

/** Opens the file of a copy, or makes it by a rule; undefined when there is nothing, and no rule to begin by. */
export async function openCopyFile(path: string, rule?: CopyRule): Promise<CopyFile | undefined> {
  const log = await CopyLog.open(path);
  const head = headSchema.safeParse(await log.first());
  const kept = head.success ? head.data : undefined;
  const first = rule ?? kept?.copy;
  if (first !== undefined && (kept !== undefined || log.bytes === 0))
    return { log, rule: kept?.copy ?? first, kept };
  await log.close();
  // What it was is not known any more; for people to look at.
  if (log.bytes > 0) await rename(path, `${path}.damaged`);
  else await rm(path, { force: true });
  return first === undefined ? undefined : await openCopyFile(path, first);
}
