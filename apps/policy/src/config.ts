import { type ServiceConfig, variable } from '@skerry/service';
import { z } from 'zod';

const pathSchema = z.string('a path').min(1);
const listSchema = z
  .string()
  .optional()
  .transform((text) => (text ?? '').split(',').map((part) => part.trim()))
  .transform((list) => list.filter((part) => part !== ''));

/** What policy is told beside what every service is told. */
export const POLICY_VARIABLES = {
  /** The cloud's keys, mode 0700: see `CloudIdentity`. Instances of policy share it. */
  identityDir: variable('SKERRY_IDENTITY_DIR', pathSchema),
  /** Credentials of policy's user in the system account: it pushes the claims of sites' accounts. */
  sysCreds: variable('SKERRY_SYS_CREDS', pathSchema),
  /** Tokens, sites and quotas that have to be there from the start. */
  bootstrapFile: variable('SKERRY_BOOTSTRAP_FILE', z.string().optional()),
  /** Where sites find the hub, told to a site that joins. */
  leafUrls: variable('SKERRY_LEAF_URLS', listSchema),
  /** Jurisdictions that all servers of the hub are in. Without, datasets with a residency rule are refused: the hub keeps records. */
  hubJurisdictions: variable('SKERRY_HUB_JURISDICTIONS', listSchema),
  /** Where sites renew their credentials, told to a site that joins. */
  renewUrl: variable('SKERRY_RENEW_URL', z.string().default('')),
} as const;
export type PolicyConfig = ServiceConfig<typeof POLICY_VARIABLES>;
