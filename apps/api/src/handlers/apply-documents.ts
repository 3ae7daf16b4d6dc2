import { Inject, Injectable } from '@nestjs/common';
import { Refusal } from '@skerry/contracts';
import { readDocuments, type RawBody } from '../documents/read-documents.js';
import type { Caller } from '../http/caller.js';
import { type Accepted, SendCommand } from './send-command.js';

/** Applies documents: all or none. */
@Injectable()
export class ApplyDocuments {
  constructor(@Inject(SendCommand) private readonly commands: SendCommand) {}

  apply(body: RawBody, ifGeneration: number | undefined, caller: Caller): Promise<Accepted> {
    const documents = readDocuments(body);
    if (ifGeneration !== undefined && documents.length > 1) {
      throw new Refusal('invalid', 'ifGeneration goes with one document', {
        issues: [
          {
            path: 'ifGeneration',
            problem: `there are ${documents.length} documents`,
            allowed: 'one document',
          },
        ],
      });
    }
    const condition = ifGeneration === undefined ? {} : { ifGeneration };
    return this.commands.send({ verb: 'workload.apply', documents, ...condition }, caller);
  }
}
