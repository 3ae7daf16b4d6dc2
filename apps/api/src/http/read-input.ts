import { deadlineMsSchema, nameSchema, parse, Refusal } from '@skerry/contracts';
import { z } from 'zod';
import type { RawBody } from '../documents/read-documents.js';
import type { FastifyRequest } from 'fastify';

/** Parses a query string or path. Throws `Refusal` `invalid` with everything that is wrong. */
export function readInput<T>(schema: z.ZodType<T>, input: unknown, what: string): T {
  const parsed = parse(schema, input);
  if (parsed.ok) return parsed.value;
  throw new Refusal('invalid', `${what} is not right`, { issues: parsed.issues });
}

/** The body as it came: bytes and the media type it claims, without parameters. */
export function rawBody(request: FastifyRequest): RawBody {
  const { body } = request;
  const mediaType = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  return { mediaType, bytes: body instanceof Uint8Array ? body : new Uint8Array() };
}

/** A JSON body; an empty one counts as `{}`. Throws `Refusal` `malformed` or `invalid`. */
export function readJsonBody<T>(schema: z.ZodType<T>, request: FastifyRequest): T {
  const { bytes } = rawBody(request);
  let value: unknown = {};
  try {
    if (bytes.byteLength > 0) value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new Refusal('malformed', 'the body is no JSON', { issues: [{ path: 'body', problem }] });
  }
  return readInput(schema, value, 'the body');
}

/** A yes or no in a query: absent, empty, `0` and `false` are no. */
export const flagSchema = z
  .enum(['', '0', '1', 'true', 'false'])
  .optional()
  .transform((text) => text === '1' || text === 'true');

/** A whole number in a query. */
export const numberText = (max: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, `a whole number from 0 to ${max}`)
    .transform(Number)
    .refine((n) => n <= max, `a whole number from 0 to ${max}`);

/** `deadlineMs` in a query. What policy could not read must not become a command. */
export const deadlineMsTextSchema = numberText(30 * 86_400_000).pipe(deadlineMsSchema);

export const workloadPathSchema = z.object({ project: nameSchema, name: nameSchema });
export const sitePathSchema = z.object({ site: nameSchema });
