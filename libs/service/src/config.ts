import { z } from 'zod';

/** One environment variable of a service: its name and the schema of its text. An empty text counts as absent. */
export interface Variable<T> {
  readonly name: string;
  readonly schema: z.ZodType<T>;
}
export type Variables = Readonly<Record<string, Variable<unknown>>>;
/** The typed values of a set of variables. */
export type ConfigOf<V extends Variables> = {
  readonly [K in keyof V]: V[K] extends Variable<infer T> ? T : never;
};

/** Declares a variable. The schema parses text (or undefined) and gives the default. */
export function variable<T>(name: string, schema: z.ZodType<T>): Variable<T> {
  return { name, schema };
}

/** A whole number between `min` and `max`, both included, written in decimal digits. */
export function wholeNumber(min: number, max: number) {
  const allowed = `a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^-?\d{1,15}$/, allowed)
    .transform(Number)
    .refine((n) => n >= min && n <= max, allowed);
}

/** As `wholeNumber`, with a default when the variable is absent. */
export function wholeNumberOr(fallback: number, min: number, max: number) {
  return z
    .union([z.undefined(), wholeNumber(min, max)], `a whole number from ${min} to ${max}`)
    .transform((n) => n ?? fallback);
}

const listSchema = z
  .string('missing: a comma-separated list of URLs such as nats://127.0.0.1:4222')
  .transform((text) => text.split(',').map((part) => part.trim()))
  .refine((list) => list.every((part) => part !== ''), 'a comma-separated list without empty parts');

const INSTANCE = /^[A-Za-z0-9-]{1,40}$/;

/** What every service is told by its environment. */
export const BASE_VARIABLES = {
  /** Servers of the hub, tried in random order. */
  natsUrls: variable('SKERRY_NATS_URL', listSchema),
  /** File of NATS credentials, mode 0600. */
  natsCreds: variable('SKERRY_NATS_CREDS', z.string().optional()),
  /** File of the certificate authority that signed the hub's certificate. */
  natsCa: variable('SKERRY_NATS_CA', z.string().optional()),
  /** Copies of each stream and bucket: 3 on a hub of three servers. */
  natsReplicas: variable('SKERRY_NATS_REPLICAS', wholeNumberOr(1, 1, 5)),
  /** Names this process among its like; random when absent. */
  instance: variable('SKERRY_INSTANCE', z.string().regex(INSTANCE, '1 to 40 of A-Z a-z 0-9 -').optional()),
  /** Loopback port of health and readiness; 0 lets the kernel choose. */
  healthPort: variable('SKERRY_HTTP_PORT', wholeNumberOr(0, 0, 65_535)),
  /** Least level that is logged. */
  logLevel: variable('SKERRY_LOG', z.enum(['debug', 'info', 'warn', 'error']).default('info')),
  /** Where traces go by OTLP/HTTP; none are made when absent. */
  otlpEndpoint: variable('OTEL_EXPORTER_OTLP_ENDPOINT', z.url('a URL').optional()),
} as const;
export type BaseConfig = ConfigOf<typeof BASE_VARIABLES>;

/** One variable that was refused. Its value is never repeated: it could be a secret. */
export interface ConfigProblem {
  readonly variable: string;
  readonly problem: string;
}
export type ParsedConfig<C> = { ok: true; value: C } | { ok: false; problems: ConfigProblem[] };

/** Reads the variables from `env`, all of them, and names every one that is wrong. */
export function parseConfig<V extends Variables>(
  variables: V,
  env: Readonly<Record<string, string | undefined>>,
): ParsedConfig<ConfigOf<V>> {
  const problems: ConfigProblem[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, { name, schema }] of Object.entries(variables)) {
    const given = env[name]?.trim();
    const result = schema.safeParse(given === '' ? undefined : given);
    if (result.success) values[key] = result.data;
    else problems.push({ variable: name, problem: describe(result.error, given) });
  }
  if (problems.length > 0 || !complete(variables, values)) return { ok: false, problems };
  return { ok: true, value: values };
}

/** Every key of `variables` is there, parsed by its own schema. */
function complete<V extends Variables>(
  variables: V,
  values: Record<string, unknown>,
): values is Record<string, unknown> & ConfigOf<V> {
  return Object.keys(variables).every((key) => key in values);
}

function describe(error: z.ZodError, given: string | undefined): string {
  const texts = [...new Set(error.issues.map((issue) => issue.message))].join('; ');
  return given === undefined || given === '' ? `not set: ${texts}` : `not allowed: ${texts}`;
}
