import { theTimeline } from '@skerry/sim';

/** `node:crypto` where names are drawn that others order by: by the chance of the simulated process. */
export * from 'node:crypto';

export function randomBytes(length: number): Buffer {
  const { random } = theTimeline().current;
  return Buffer.from(Array.from({ length }, () => random.whole(0, 255)));
}
