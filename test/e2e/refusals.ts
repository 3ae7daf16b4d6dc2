import type { SkerryClient } from '@skerry/client';
import { eventually } from './cloud-under-test.js';

/** Until it is written down that site `far`, or a workload there, was refused each of these of a dataset. */
export async function untilRefused(client: SkerryClient, name: string, refused: Refused[]): Promise<void> {
  await eventually(
    async () => {
      const { audit } = await client.datasetProof('test', name);
      const told = audit.find(({ site }) => site === 'far')?.refusals ?? [];
      const all = refused.every(({ what, by, why }) =>
        told.some((r) => r.what === what && r.by.startsWith(by) && why.test(r.why)),
      );
      return all ? true : undefined;
    },
    { withinMs: 20_000, what: `${name}: ${refused.map(({ what, by }) => `${what} by ${by}`).join(', ')}` },
  );
}

interface Refused {
  what: 'read' | 'write';
  /** How it begins. */
  by: string;
  why: RegExp;
}
