import { Inject, Injectable } from '@nestjs/common';
import type { Bucket, Bus } from '@skerry/bus';
import { BUCKETS, nodeSchema, type Node } from '@skerry/contracts';
import { BUS } from '@skerry/service';

/** Bucket `nodes`, key `<site>.<node>`. */
@Injectable()
export class NodesStore {
  private readonly bucket: Bucket<Node>;

  constructor(@Inject(BUS) bus: Bus) {
    this.bucket = bus.bucket(BUCKETS.nodes, (value) => nodeSchema.parse(value));
  }

  /** Files a report unless a newer one is there. Fails with `Conflict` when another instance was faster. */
  async file(node: Node): Promise<void> {
    const key = `${node.site}.${node.node}`;
    const known = await this.bucket.get(key);
    if (known !== undefined && !isNewer(node, known.value)) return;
    await this.bucket.put(key, node, known?.revision ?? 0);
  }

  async dropSite(site: string): Promise<void> {
    const keys = await this.bucket.keys();
    for (const key of keys.filter((k) => k.startsWith(`${site}.`))) await this.bucket.delete(key);
  }
}

/** Reports rise in number; a machine set up anew counts from the start, and has started later. */
function isNewer(node: Node, known: Node): boolean {
  return node.report > known.report || node.startedAt > known.startedAt;
}
