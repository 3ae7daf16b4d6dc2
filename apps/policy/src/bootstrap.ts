import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { Conflict } from '@skerry/bus';
import {
  apiTokenSchema,
  parse,
  quotaSchema,
  siteDescriptionSchema,
  siteIdentitySchema,
  type Site,
} from '@skerry/contracts';
import { readPrivateFile } from '@skerry/identity';
import { CONFIG, JsonLog } from '@skerry/service';
import { z } from 'zod';
import type { PolicyConfig } from './config.js';
import { IdentitiesStore } from './stores/identities.store.js';
import { QuotasStore } from './stores/quotas.store.js';
import { SitesStore } from './stores/sites.store.js';

/** A thousand sites take half a megabyte. */
const MAX_BYTES = 4 * 1024 * 1024;
const { account, userKey } = siteIdentitySchema.shape;

const foundedQuotaSchema = quotaSchema.omit({
  generation: true,
  updatedAt: true,
  requestId: true,
  commandSequence: true,
});

/** What has to be there from a cloud's first start: the founder's token, the sites made with it, quotas. */
export const bootstrapSchema = z.strictObject({
  tokens: z.array(apiTokenSchema).max(64).default([]),
  sites: z
    .array(z.strictObject({ description: siteDescriptionSchema, account, userKey }))
    .max(2_000)
    .default([]),
  quotas: z.array(foundedQuotaSchema).max(1_000).default([]),
});
type BootstrapSite = z.infer<typeof bootstrapSchema>['sites'][number];

/** Applies the bootstrap file at each start. What is there already stays as it is: a removed site does not come back. */
@Injectable()
export class Bootstrap implements OnModuleInit {
  constructor(
    @Inject(CONFIG) private readonly config: PolicyConfig,
    @Inject(IdentitiesStore) private readonly identities: IdentitiesStore,
    @Inject(SitesStore) private readonly sites: SitesStore,
    @Inject(QuotasStore) private readonly quotas: QuotasStore,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  async onModuleInit(): Promise<void> {
    const path = this.config.bootstrapFile;
    if (path === undefined) return;
    const parsed = parse(bootstrapSchema, JSON.parse(await readPrivateFile(path, MAX_BYTES)));
    if (!parsed.ok) {
      const problems = parsed.issues.map((i) => `${i.path}: ${i.problem} (${i.allowed ?? ''})`).join('; ');
      throw new Error(`SKERRY_BOOTSTRAP_FILE: ${path}: ${problems}`);
    }
    const { tokens, sites, quotas } = parsed.value;
    for (const token of tokens) await this.identities.addToken(token);
    for (const quota of quotas) await this.quotas.commit(quota, 0).catch(isThere);
    for (const site of sites) await this.found(site);
  }

  private async found(given: BootstrapSite): Promise<void> {
    const { name } = given.description;
    const now = new Date().toISOString();
    try {
      await this.sites.commit(foundedSite(given, now), 0, 'joined');
      this.log.log(`site ${name} is there from the start`);
    } catch (error) {
      if (!(error instanceof Conflict)) throw error;
    }
    const identity = { kind: 'SiteIdentity' as const, site: name, account: given.account };
    const record = { ...identity, userKey: given.userKey, joinedAt: now };
    if (!(await this.identities.site(name))) await this.identities.putSite(record, 0).catch(isThere);
  }
}

function foundedSite({ description, account }: BootstrapSite, now: string): Site {
  return {
    ...description,
    generation: 1,
    account,
    membership: 'joined',
    cordoned: false,
    createdAt: now,
    updatedAt: now,
    commandSequence: 0,
  };
}

function isThere(error: unknown): void {
  if (!(error instanceof Conflict)) throw error;
}
