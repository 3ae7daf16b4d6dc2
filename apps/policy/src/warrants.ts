import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Warranted } from '@skerry/domain';
import type { CloudIdentity } from '@skerry/identity';
import { IDENTITY } from './sites/system-bus.js';
import { canonical } from './spec-digest.js';

const KEY_BYTES = 32;

/**
 * Proofs that policy admitted a workload at a generation, as sites hold them: what a site says of one that the hub does not
 * know is believed by its warrant alone, so that a stolen site cannot have anything run that was never admitted. HMAC-SHA-256
 * under a key made of the cloud's signing key, which comes back with a backup's `--identity`.
 */
@Injectable()
export class Warrants {
  readonly #key: Buffer;

  constructor(@Inject(IDENTITY) { cloudSigning }: CloudIdentity) {
    const secret = cloudSigning.seed();
    this.#key = Buffer.from(hkdfSync('sha256', secret, '', 'skerry-workload-warrant-v1', KEY_BYTES));
  }

  /** 43 characters. */
  of({ project, name, generation, labels, specDigest }: Warranted): string {
    const text = canonical({ project, name, generation, labels, specDigest });
    return createHmac('sha256', this.#key).update(text).digest('base64url');
  }

  /** Whether the warrant is of this workload, at this generation. */
  holds(workload: Warranted, warrant: string): boolean {
    const [is, said] = [Buffer.from(this.of(workload)), Buffer.from(warrant)];
    return is.length === said.length && timingSafeEqual(is, said);
  }
}
