import { z } from 'zod';

const identity = z.strictObject({ pid: z.number().int().min(1), startTicks: z.number(), bootId: z.string() });

/** What finds a running replica again. */
export const liveSchema = z.strictObject({
  /** The command's own process. */
  main: identity,
  /** Its parent, which leads the process group and writes down the exit code. */
  keeper: identity,
  /** Folders of its cgroups; none where the kernel offers none. */
  cgroups: z.array(z.string()),
});
export type Live = z.infer<typeof liveSchema>;
