import { Inject, Injectable } from '@nestjs/common';
import { Refusal } from '@skerry/contracts';
import { bodyOf, readDocuments, type RawBody } from '../documents/read-documents.js';
import type { Caller } from '../http/caller.js';
import { type Accepted, SendCommand } from './send-command.js';

/** Applies documents: all or none. */
@Injectable()
export class ApplyDocuments {
  constructor(@Inject(SendCommand) private readonly commands: SendCommand) {}

  apply(body: RawBody, ifGeneration: number | undefined, caller: Caller): Promise<Accepted> {
    const documents = readDocuments(body);
    const all = documents.workloads.length + documents.datasets.length;
    if (ifGeneration !== undefined && (documents.workloads.length !== 1 || all > 1)) {
      throw new Refusal('invalid', 'ifGeneration goes with one workload', {
        issues: [
          {
            path: 'ifGeneration',
            problem: `there are ${all} documents`,
            allowed: 'one document, of a workload',
          },
        ],
      });
    }
    const condition = ifGeneration === undefined ? {} : { ifGeneration };
    return this.commands.send({ verb: 'workload.apply', ...bodyOf(documents), ...condition }, caller);
  }
}
