import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Warranted, WarrantedDataset } from '@skerry/domain';
import type { CloudIdentity } from '@skerry/identity';
import { IDENTITY } from './sites/system-bus.js';
import { canonical } from './spec-digest.js';

const KEY_BYTES = 32;

/**
 * Proofs that policy admitted a workload or a dataset at a generation, as sites hold them: what a site says of one that the hub does not
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
    return this.proof({ project, name, generation, labels, specDigest });
  }

  /** The same of a dataset: never that of a workload, which has no kind in it. */
  ofDataset({ project, name, incarnation, generation, labels, specDigest }: WarrantedDataset): string {
    return this.proof({ kind: 'Dataset', project, name, incarnation, generation, labels, specDigest });
  }

  /** Whether the warrant is of this workload, at this generation. */
  holds(workload: Warranted, warrant: string): boolean {
    return isSame(this.of(workload), warrant);
  }

  /** Whether the warrant is of this dataset, at this generation. */
  holdsDataset(dataset: WarrantedDataset, warrant: string): boolean {
    return isSame(this.ofDataset(dataset), warrant);
  }

  private proof(said: object): string {
    return createHmac('sha256', this.#key).update(canonical(said)).digest('base64url');
  }
}

function isSame(is: string, said: string): boolean {
  const [a, b] = [Buffer.from(is), Buffer.from(said)];
  return a.length === b.length && timingSafeEqual(a, b);
}
