import { z } from 'zod';
import { LIMITS } from './limits.js';

const NAME = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/;

/** A DNS label: what projects, workloads, sites and nodes are called. It is also one subject token. */
export const nameSchema = z
  .string()
  .max(LIMITS.nameChars, `at most ${LIMITS.nameChars} characters (limit nameChars)`)
  .regex(NAME, 'lower-case letters, digits and "-", beginning and ending with a letter or digit');

/**
 * A node among those that write datasets, or one of its copies: 64 random bits that it draws with its empty disk, and for each
 * copy that it makes. What was lost, or forgotten, so never speaks again
 * under its old name.
 */
export const storeSchema = z.string().regex(/^[0-9a-f]{16}$/);

/** A moment as RFC 3339 in UTC, with milliseconds. */
export const instantSchema = z.iso.datetime({ precision: 3 });

/** A finite number: NaN and infinities are refused at the edge. */
export const finite = z.number().finite();
export const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
export const positiveCount = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER);

/** Milliseconds between `min` and `max`, both included. */
export const millis = (min: number, max: number) => z.number().int().min(min).max(max);

const LABEL_KEY = /^[a-zA-Z0-9](?:[-._/a-zA-Z0-9]*[a-zA-Z0-9])?$/;
export const labelKeySchema = z
  .string()
  .max(LIMITS.labelChars)
  .regex(LABEL_KEY, 'letters, digits and "-._/"');
export const labelValueSchema = z.string().max(LIMITS.labelChars);
/** Free labels: at most `LIMITS.labels`. */
export const labelsSchema = z
  .record(labelKeySchema, labelValueSchema)
  .refine((l) => Object.keys(l).length <= LIMITS.labels, `at most ${LIMITS.labels} labels (limit labels)`);

/** A legal area such as `eu` or `us`. */
export const jurisdictionSchema = z
  .string()
  .regex(/^[a-z][-a-z0-9]{1,31}$/, 'a jurisdiction such as "eu", "us" or "jp"');

/** A country by ISO 3166-1 alpha-2. */
export const countrySchema = z.string().regex(/^[A-Z]{2}$/, 'two capital letters, such as "DE"');
export const latitudeSchema = z.number().min(-90).max(90);
export const longitudeSchema = z.number().min(-180).max(180);

/** 128 random bits or a client's own id for a request: what makes a retry safe. */
export const requestIdSchema = z.string().regex(/^[A-Za-z0-9_-]{8,64}$/, '8 to 64 of A-Z a-z 0-9 _ -');
/** A content digest: `sha256:` and 64 hexadecimal digits. */
export const digestSchema = z.string().regex(/^sha256:[0-9a-f]{64}$/);

/** The own keys of a record that is written out in code, with their types. */
export function keysOf<T extends object>(record: T): (keyof T & string)[] {
  return Object.keys(record).filter((key): key is keyof T & string => Object.hasOwn(record, key));
}

/** Model of a GPU as its maker writes it, with "-" for spaces: `NVIDIA-A100-SXM4-80GB`, `V100M32`. */
export const gpuModelSchema = z
  .string()
  .regex(/^[A-Za-z0-9][-._A-Za-z0-9]{0,62}$/, 'letters, digits, "-", "_", "."');

export const siteKindSchema = z.enum(['region', 'datacenter', 'colo', 'onprem', 'edge']);
