import { Refusal, problemSchema } from '@skerry/contracts';
import type { Headers, Message } from './bus.js';
import { Malformed } from './errors.js';

const HEADER = 'Skerry-Refused';

/** An answer that says no: the refusal as problem details. What is no `Refusal` says only that something broke. */
export function refused(error: unknown): { body: object; headers: Headers } {
  const refusal =
    error instanceof Refusal ? error : new Refusal('internal', 'the request could not be handled');
  return { body: refusal.problem(), headers: { [HEADER]: refusal.code } };
}

/** The answer, unless it is a refusal: that is thrown as it was on the other side. */
export function accepted(m: Message): Message {
  if (m.headers[HEADER] === undefined) return m;
  const problem = problemSchema.safeParse(m.json());
  if (!problem.success) throw new Malformed(`answer on ${m.subject}: a refusal that cannot be read`);
  const { code, title, issues, hint } = problem.data;
  throw new Refusal(code, title, { issues, ...(hint === undefined ? {} : { hint }) });
}
