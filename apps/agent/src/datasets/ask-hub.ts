import type { Bus } from '@skerry/bus';
import { parseAcross } from '@skerry/contracts';
import type { z } from 'zod';

/** Where is asked, what an answer is, and how long one is waited for. */
export interface Question<T> {
  subject: string;
  schema: z.ZodType<T>;
  timeoutMs: number;
}

/** Asks the hub. Rejects when nobody answers in time, and for an answer that is none of `schema`. */
export async function askHub<T>(bus: Bus, question: Question<T>, body: object): Promise<T> {
  const { subject, schema, timeoutMs } = question;
  const answer = await bus.request(subject, body, { timeoutMs });
  return answerIn(schema, answer.json());
}

/** What the hub has answered; throws when it is none of `schema`. */
export function answerIn<T>(schema: z.ZodType<T>, answer: unknown): T {
  const parsed = parseAcross(schema, answer);
  if (!parsed.ok) throw new Error('an answer that is none');
  return parsed.value;
}
