import { z } from 'zod';
import { keysOf } from './primitives.js';

/**
 * Codes of everything that can go wrong for the person or program that asked. Stable: clients match on them.
 * The number is the HTTP status that api answers with.
 */
export const ERROR_STATUS = {
  invalid: 422,
  malformed: 400,
  'too-large': 413,
  unauthorized: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  'name-used': 409,
  'over-quota': 422,
  residency: 422,
  unplaceable: 422,
  throttled: 429,
  unavailable: 503,
  timeout: 504,
  'storage-full': 507,
  internal: 500,
} as const;
export type ErrorCode = keyof typeof ERROR_STATUS;
export const errorCodeSchema = z.enum(keysOf(ERROR_STATUS));

/** One thing wrong: where, what was given, what is allowed. `value` is cut at 120 characters and never a secret. */
export const issueSchema = z.strictObject({
  path: z.string(),
  problem: z.string(),
  value: z.string().optional(),
  allowed: z.string().optional(),
});
export type Issue = z.infer<typeof issueSchema>;

/** What a person reads when something was refused: every reason at once, and what to do. Sent as RFC 9457 problem details. */
export const problemSchema = z.strictObject({
  code: errorCodeSchema,
  title: z.string(),
  status: z.number().int(),
  issues: z.array(issueSchema).default([]),
  hint: z.string().optional(),
  requestId: z.string().optional(),
  traceId: z.string().optional(),
});
export type Problem = z.infer<typeof problemSchema>;

/** A refusal that travels as an exception between layers of one process; the edge turns it into a `Problem`. */
export class Refusal extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly details: { issues?: Issue[]; hint?: string } = {},
  ) {
    super(message);
    this.name = 'Refusal';
  }

  problem(): Problem {
    const { issues = [], hint } = this.details;
    return {
      code: this.code,
      title: this.message,
      status: ERROR_STATUS[this.code],
      issues,
      ...(hint ? { hint } : {}),
    };
  }
}
