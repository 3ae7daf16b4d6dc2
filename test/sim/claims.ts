import type { SimServer } from '@skerry/sim';

/** Where policy tells the hub of sites' accounts. */
export const CLAIMS = '$SYS.REQ.CLAIMS.UPDATE';

/** Whom a hub lets in, as it was told last; it outlives the server. */
export class Claims {
  private readonly open = new Set<string>();

  constructor({ memory }: SimServer) {
    memory.hear({
      filter: CLAIMS,
      queue: undefined,
      here: () => true,
      hear: (m, reply) => {
        this.take(m.json());
        reply?.(new TextEncoder().encode('{}'), {});
      },
    });
  }

  letsIn(site: string): boolean {
    return this.open.has(site);
  }

  private take(said: unknown): void {
    if (typeof said !== 'object' || said === null || !('name' in said) || !('open' in said)) return;
    if (said.open === true) this.open.add(String(said.name));
    else this.open.delete(String(said.name));
  }
}
