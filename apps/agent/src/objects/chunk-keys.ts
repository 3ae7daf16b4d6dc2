import { join } from 'node:path';
import { Refusal, workloadKey, type Manifest } from '@skerry/contracts';
import type { HeldKey } from '../sealing/record-box.js';
import { Ring, type SealedRule } from '../sealing/ring.js';
import type { Sealing } from '../sealing/sealing.js';

/** The keys of encrypted datasets that chunks are sealed with and opened, also while the hub was not heard since this node began. */
export class ChunkKeys {
  private sealing: Pick<Sealing, 'get'> | undefined;

  /** `folder`: of the copies, where their keys lie. */
  constructor(private readonly folder: string) {}

  /** What knows more of the keys, once there is a way to the hub. */
  use(sealing: Pick<Sealing, 'get'>): void {
    this.sealing = sealing;
  }

  /** What chunks are sealed with that are written now. Throws a `Refusal` while there is no key. */
  async toSeal(rule: SealedRule): Promise<HeldKey> {
    const { project, name } = rule;
    const key = (await this.ringOf(rule)).forChunks;
    if (key !== undefined) return key;
    throw new Refusal('unavailable', `${project}/${name} is encrypted, and this site has no key of it yet`, {
      hint: 'try again when the site reaches the hub, which has a site with the key give it',
    });
  }

  /** What an object's chunks are sealed with; undefined: with nothing. Throws a `Refusal` while the key is not here. */
  async toOpen(rule: SealedRule, { sealedWith: id }: Manifest): Promise<HeldKey | undefined> {
    if (id === undefined) return undefined;
    const key = (await this.ringOf(rule)).get(id);
    if (key !== undefined) return key;
    const { project, name } = rule;
    throw new Refusal('unavailable', `the key of this object of ${project}/${name} is not here yet`, {
      hint: 'try again when the site reaches the hub, which has a site with the key give it',
    });
  }

  private async ringOf(rule: SealedRule): Promise<Pick<Ring, 'forChunks' | 'get'>> {
    const key = workloadKey(rule.project, rule.name);
    const known = this.sealing?.get(key);
    if (known?.rule.incarnation === rule.incarnation) return known.ring;
    return await Ring.open(join(this.folder, `${key}.keys`), rule);
  }
}
