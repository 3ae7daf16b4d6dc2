import type { ChunkRef } from '@skerry/contracts';

/** A site that brought nothing for so long is not waited for. */
const QUIET_MS = 5_000;
/** Chunks that are remembered, of all datasets; with more all are forgotten, and some may be brought twice. */
const MOST = 10_000;

/**
 * Which site brings which chunk that the hub lacks: of what the hub has lost, and several sites have, each chunk travels once. A
 * dataset is given as text.
 */
export class Bringers {
  /** By dataset and digest, a site. */
  private readonly sites = new Map<string, string>();
  /** By dataset and site, when it asked or brought something last (monotonic ms). */
  private readonly heard = new Map<string, number>();

  /** Of what the hub lacks the part that this site is to bring now: what no other one brings, at most so many. */
  share(
    dataset: string,
    site: string,
    { lacking, most, now }: { lacking: readonly ChunkRef[]; most: number; now: number },
  ): ChunkRef[] {
    this.note(dataset, site, now);
    const mine = lacking
      .filter(({ digest }) => !this.isOthers(dataset, digest, { site, now }))
      .slice(0, most);
    if (this.sites.size + mine.length > MOST) this.sites.clear();
    for (const { digest } of mine) this.sites.set(`${dataset} ${digest}`, site);
    return mine;
  }

  /** It came. */
  came(dataset: string, site: string, { digest, now }: { digest: string; now: number }): void {
    this.sites.delete(`${dataset} ${digest}`);
    if (this.heard.has(`${dataset} ${site}`)) this.note(dataset, site, now);
  }

  forget(): void {
    this.sites.clear();
    this.heard.clear();
  }

  private isOthers(dataset: string, digest: string, { site, now }: { site: string; now: number }): boolean {
    const other = this.sites.get(`${dataset} ${digest}`);
    if (other === undefined || other === site) return false;
    const heard = this.heard.get(`${dataset} ${other}`);
    return heard !== undefined && now - heard < QUIET_MS;
  }

  private note(dataset: string, site: string, now: number): void {
    if (this.heard.size >= MOST) this.forget();
    this.heard.set(`${dataset} ${site}`, now);
  }
}
