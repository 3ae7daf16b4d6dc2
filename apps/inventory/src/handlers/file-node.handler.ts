import { Injectable } from '@nestjs/common';
import { Conflict, done, reject, retry, type Outcome, type StoredMessage } from '@skerry/bus';
import { nodeSchema } from '@skerry/contracts';
import { NodesStore } from '../stores/nodes.store.js';

/** Files what a site reports of one of its nodes. */
@Injectable()
export class FileNode {
  constructor(private readonly nodes: NodesStore) {}

  async handle(message: StoredMessage): Promise<Outcome> {
    const parsed = nodeSchema.safeParse(message.json());
    if (!parsed.success) return reject('not a node');
    try {
      await this.nodes.file(parsed.data);
      return done;
    } catch (error) {
      if (error instanceof Conflict) return retry({ afterMs: 50, reason: 'another instance was faster' });
      throw error;
    }
  }
}
