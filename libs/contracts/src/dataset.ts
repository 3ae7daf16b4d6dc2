import { z } from 'zod';
import { homeSchema } from './dataset-home.js';
import { encryptionSchema } from './dataset-sealing.js';
import { declaredHistory, declaredIdentity, documentMetadataSchema } from './declared.js';
import { LIMITS } from './limits.js';
import { logSpecSchema } from './log-rules.js';
import { datasetObjectsSchema } from './object-rules.js';
import { originRuleSchema } from './origin-rule.js';
import { labelRuleSchema } from './placement-rules.js';
import { digestSchema, jurisdictionSchema, millis, nameSchema, positiveCount } from './primitives.js';
import { warrantSchema } from './recovered.js';

/** What a dataset holds: values under keys, files under keys, or entries in a row. */
export const datasetTypeSchema = z.enum(['keyvalue', 'objects', 'log']);

/**
 * What counts when two sites write the same key: the newest write; the sum of all; both, element by element; both, side by
 * side; or one site's writes alone.
 */
export const conflictRuleSchema = z.enum(['newest', 'counter', 'set', 'keep-both', 'single-writer']);
export type ConflictRule = z.infer<typeof conflictRuleSchema>;

/**
 * Where copies are: at every site that residency allows, at those of them that match, or where workloads run that say they use
 * the dataset. With `min` or `max` at so many of them, which Skerry chooses by where it is used.
 */
export const copiesSchema = z
  .strictObject({
    at: z.enum(['everywhere', 'matching', 'with-workloads']).default('everywhere'),
    /** Names of sites; without, any. */
    sites: z.array(nameSchema).min(1).max(LIMITS.sitesPerHub).optional(),
    /** What their labels have to be. */
    match: z.array(labelRuleSchema).max(LIMITS.labels).default([]),
    /** The least number of copies, on as many sites; with fewer sites, as many as there are. Default 1, and 0 with `with-workloads`. */
    min: z.number().int().min(1).max(LIMITS.chosenCopies).optional(),
    /** The most; default: as many as are used. Workloads that use it run at no more sites. */
    max: z.number().int().min(1).max(LIMITS.chosenCopies).optional(),
    /** How long a chosen copy stays after nothing there uses it; default 10 min. The last one always stays. */
    keepMs: millis(0, 30 * 86_400_000).optional(),
  })
  .superRefine(({ at, min, max, keepMs }, ctx) => {
    if (min !== undefined && max !== undefined && min > max)
      ctx.addIssue({ code: 'custom', path: ['max'], message: `at least min, which is ${min}` });
    if (keepMs !== undefined && at !== 'with-workloads' && min === undefined && max === undefined)
      ctx.addIssue({ code: 'custom', path: ['keepMs'], message: 'only with at: with-workloads, min or max' });
  })
  .superRefine(({ at, sites, match }, ctx) => {
    const chosen = sites !== undefined || match.length > 0;
    if (at === 'matching' && !chosen)
      ctx.addIssue({ code: 'custom', path: ['match'], message: 'match or sites, with at: matching' });
    if (at === 'everywhere' && chosen)
      ctx.addIssue({ code: 'custom', path: ['at'], message: 'matching, where match or sites are given' });
  });

/** Where copies may be, whatever `copies` says: a wall. The hub and what it keeps count as a place too. */
export const datasetResidencySchema = z.strictObject({
  /** Only in these jurisdictions. */
  stay: z.array(jurisdictionSchema).min(1).max(64).optional(),
  /** In none of these. */
  deny: z.array(jurisdictionSchema).min(1).max(64).optional(),
  /** Each record only in the area where it was written. `true` says no areas, and is refused when applied. */
  origin: z.union([z.boolean(), originRuleSchema]).optional(),
});

/** What one copy may grow to. A write beyond is refused at the site where it is made. */
export const datasetLimitsSchema = z.strictObject({
  keys: z.number().int().min(1).max(LIMITS.datasetKeys).default(100_000),
  bytes: z
    .number()
    .int()
    .min(1_024)
    .max(LIMITS.datasetBytes)
    .default(64 * 1024 * 1024),
  valueBytes: z.number().int().min(1).max(LIMITS.datasetValueBytes).default(LIMITS.datasetValueBytes),
});

export const datasetSpecSchema = z.strictObject({
  type: datasetTypeSchema,
  conflicts: conflictRuleSchema.default('newest'),
  /** With `single-writer`: the site that writes, or `{with: WORKLOAD}`. */
  home: homeSchema.optional(),
  copies: copiesSchema.default(copiesSchema.parse({})),
  residency: datasetResidencySchema.optional(),
  /**
   * `at: site`: records leave a site sealed, with keys that only sites have which may have a copy; so the hub may carry what
   * residency lets it not read. Default: none, in clear. Of logs with `flow: mesh`.
   */
  encryption: encryptionSchema.optional(),
  /** A value is gone so long after it was written; without, never. With `newest` and `single-writer`. */
  ttlMs: millis(1_000, 10 * 365 * 86_400_000).optional(),
  limits: datasetLimitsSchema.default(datasetLimitsSchema.parse({})),
  /** With `type: log`; then `ttlMs` is how long an entry is kept, and `limits.bytes` how much, at each site and at the hub. */
  log: logSpecSchema.optional(),
  /** With `type: objects`. */
  objects: datasetObjectsSchema.optional(),
});
export type DatasetSpec = z.infer<typeof datasetSpecSchema>;

/** A dataset as people write it, in YAML or JSON. */
export const datasetDocumentSchema = z.strictObject({
  apiVersion: z.literal('skerry/v1'),
  kind: z.literal('Dataset'),
  metadata: documentMetadataSchema,
  spec: datasetSpecSchema,
});
export type DatasetDocument = z.infer<typeof datasetDocumentSchema>;

/** A dataset as policy keeps it: the noun of bucket `datasets`, key `<project>.<name>`. */
export const datasetSchema = z.strictObject({
  kind: z.literal('Dataset'),
  ...declaredIdentity,
  /** The generation that made it: another one after it was removed and made again, so that old records never come back. */
  incarnation: positiveCount,
  spec: datasetSpecSchema,
  specDigest: digestSchema,
  ...declaredHistory,
  /** Its sites hold it with their copies. Absent: of a policy of before. */
  warrant: warrantSchema.optional(),
  /** The hub was restored from a backup that did not know it, a site brought it back, and nobody has changed it since. */
  recovered: z.boolean().optional(),
});
export type Dataset = z.infer<typeof datasetSchema>;
