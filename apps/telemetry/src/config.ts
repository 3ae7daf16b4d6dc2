import { variable, type ServiceConfig } from '@skerry/service';
import { z } from 'zod';

const redisUrlSchema = z
  .string()
  .regex(/^rediss?:\/\/\S+$/, 'a URL such as redis://127.0.0.1:6379/0')
  .optional();

/** What telemetry is told beside what every service is told. */
export const TELEMETRY_VARIABLES = {
  /** Where the read model is kept for all instances; absent: each instance keeps its own in memory. May hold a password. */
  redisUrl: variable('REDIS_URL', redisUrlSchema),
  /** What all keys in Redis begin with, so that several clouds can share one. */
  redisPrefix: variable(
    'SKERRY_REDIS_PREFIX',
    z
      .string()
      .regex(/^[\w:-]{1,64}$/, '1 to 64 of A-Z a-z 0-9 _ : -')
      .default('skerry:'),
  ),
} as const;
export type TelemetryConfig = ServiceConfig<typeof TELEMETRY_VARIABLES>;
