import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Unavailable, type Bus, type Message } from '@skerry/bus';
import type { Command, Site } from '@skerry/contracts';
import { deleteAccountsJwt, siteAccountJwt, siteAccountKey, type CloudIdentity } from '@skerry/identity';
import { CONFIG } from '@skerry/service';
import type { PolicyConfig } from '../config.js';
import { IDENTITY, SYSTEM_BUS } from './system-bus.js';

const CLAIMS_UPDATE = '$SYS.REQ.CLAIMS.UPDATE';
const CLAIMS_DELETE = '$SYS.REQ.CLAIMS.DELETE';
const PUSH_TIMEOUT_MS = 5_000;

/** The accounts of sites at the hub: their keys, and the claims that let a site in or keep it out. */
@Injectable()
export class SiteAccounts implements OnApplicationShutdown {
  constructor(
    @Inject(CONFIG) private readonly config: PolicyConfig,
    @Inject(IDENTITY) private readonly identity: CloudIdentity,
    @Inject(SYSTEM_BUS) private readonly system: Bus,
  ) {}

  /** The account of the site that a command adds: its key is made, and kept, at the first use. */
  async accountFor({ actor, body }: Command): Promise<{ account?: string }> {
    // Whoever may not add sites shall not fill the folder with keys either.
    if (body.verb !== 'site.add' || actor.role !== 'admin') return {};
    const key = await siteAccountKey(this.config.identityDir, body.site.name);
    return { account: key.publicKey };
  }

  /** Lets the site in, with the credentials it has. */
  async open(site: Site): Promise<void> {
    await this.pushClaims(site, false);
  }

  /** Ends the site's connections and refuses new ones; its credentials stay. The hub acts within a fraction of a second. */
  async suspend(site: Site): Promise<void> {
    await this.pushClaims(site, true);
  }

  /** Cuts the site off for ever: nothing that it holds is of use any more. */
  async remove(site: Site): Promise<void> {
    // Deleting alone would leave the connections of this moment.
    await this.pushClaims(site, true);
    const issuer = this.identity.operatorSigning;
    const jwt = deleteAccountsJwt({ accounts: [site.account], issuer, issuedAtMs: Date.now() });
    await this.push(CLAIMS_DELETE, jwt);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.system.close();
  }

  private async pushClaims(site: Site, suspended: boolean): Promise<void> {
    const jwt = siteAccountJwt({
      site: site.name,
      account: site.account,
      cloud: this.identity.cloudAccount.publicKey,
      issuer: this.identity.operatorSigning,
      issuedAtMs: Date.now(),
      suspended,
    });
    await this.push(CLAIMS_UPDATE, jwt);
  }

  private async push(subject: string, jwt: string): Promise<void> {
    const body = new TextEncoder().encode(jwt);
    const answer = await this.system.request(subject, body, { timeoutMs: PUSH_TIMEOUT_MS });
    const error = errorIn(answer);
    if (error !== undefined) throw new Unavailable(`the hub refused claims of a site: ${error}`);
  }
}

/** The server answers `{data: {code: 200}}`, or `{error: {description}}`. */
function errorIn(answer: Message): string | undefined {
  const body = answer.json();
  if (typeof body !== 'object' || body === null || !('error' in body)) return undefined;
  const { error } = body;
  return typeof error === 'object' && error !== null && 'description' in error
    ? String(error.description)
    : 'no reason given';
}
