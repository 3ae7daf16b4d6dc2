import { Inject, Injectable } from '@nestjs/common';
import { Refusal, type JoinAnswer, type Site } from '@skerry/contracts';
import { issueSiteCertificate, siteAccountKey, siteUserJwt, type CloudIdentity } from '@skerry/identity';
import { CONFIG } from '@skerry/service';
import type { PolicyConfig } from '../config.js';
import { IDENTITY } from './system-bus.js';

/** Life of a site's token for the bus; sites renew at half of it. */
export const SITE_TOKEN_MS = 3_600_000;

/** Issues to a site what it logs in with: a token for its own user key and a certificate for its own TLS key. */
@Injectable()
export class Credentials {
  constructor(
    @Inject(CONFIG) private readonly config: PolicyConfig,
    @Inject(IDENTITY) private readonly identity: CloudIdentity,
  ) {}

  /** `certificate` in the answer is empty when `csr` is absent. Throws `Refusal` for a request that is not one. */
  async issue(site: Site, userKey: string, csr: string | undefined): Promise<JoinAnswer> {
    const nowMs = Date.now();
    const certificate = csr === undefined ? '' : await this.certificate(site.name, csr, nowMs);
    const account = await siteAccountKey(this.config.identityDir, site.name);
    const userJwt = siteUserJwt({
      name: `leaf-${site.name}`,
      user: userKey,
      account: site.account,
      issuer: account,
      issuedAtMs: nowMs,
      expiresAtMs: nowMs + SITE_TOKEN_MS,
    });
    return {
      site: site.name,
      account: site.account,
      userJwt,
      userJwtExpiresAt: new Date(nowMs + SITE_TOKEN_MS).toISOString(),
      certificate,
      ca: this.identity.serversCa.certPem,
      leafUrls: this.leafUrls(),
      renewUrl: this.config.renewUrl,
    };
  }

  private leafUrls(): string[] {
    const urls = [...this.config.leafUrls];
    if (urls.length > 0) return urls;
    throw new Refusal('unavailable', 'this cloud does not say where sites find its hub', {
      hint: 'set SKERRY_LEAF_URLS for policy',
    });
  }

  private async certificate(site: string, csrPem: string, nowMs: number): Promise<string> {
    const refuse = (error: unknown) => {
      const reason = error instanceof Error ? error.message : 'damaged';
      throw new Refusal('invalid', `the certificate request was refused: ${reason}`);
    };
    return issueSiteCertificate(this.identity.sitesCa, { site, csrPem, nowMs }).catch(refuse);
  }
}
