import { Inject, Injectable } from '@nestjs/common';
import type { Message } from '@skerry/bus';
import { parse, Refusal, renewRequestSchema, type JoinAnswer } from '@skerry/contracts';
import { checkRenewal } from '@skerry/identity';
import { Credentials } from '../sites/credentials.js';
import { IdentitiesStore } from '../stores/identities.store.js';
import { SitesStore } from '../stores/sites.store.js';

/** Renews a site's credentials for whoever proves to hold its key; also after it was cut off for longer than they live. */
@Injectable()
export class RenewHandler {
  constructor(
    @Inject(SitesStore) private readonly sites: SitesStore,
    @Inject(IdentitiesStore) private readonly identities: IdentitiesStore,
    @Inject(Credentials) private readonly credentials: Credentials,
  ) {}

  async handle(message: Message): Promise<JoinAnswer> {
    const parsed = parse(renewRequestSchema, message.json());
    if (!parsed.ok) throw new Refusal('malformed', 'not a renewal', { issues: parsed.issues });
    const request = parsed.value;
    const [identity, held] = await Promise.all([
      this.identities.site(request.site),
      this.sites.read(request.site),
    ]);
    const site = held?.value;
    const member = site?.membership === 'joined' || site?.membership === 'leaving';
    // One answer to all that fails, so that names of sites cannot be tried out.
    if (!identity || !site || !member || identity.value.revokedAt !== undefined) throw refused();
    const { userKey } = identity.value;
    const check = checkRenewal(request, { site: site.name, userKey, nowMs: Date.now() });
    if (!check.ok && check.reason === 'bad-time')
      throw new Refusal('unauthorized', 'the clock of this machine is more than 60 s off', {
        hint: 'set the clock, for example with NTP, and try again',
      });
    if (!check.ok) throw refused();
    return this.credentials.issue(site, userKey, request.csr);
  }
}

function refused(): Refusal {
  return new Refusal('unauthorized', 'this site may not renew its credentials', {
    hint: 'it was removed, or this is not its key: add it again under a new name',
  });
}
