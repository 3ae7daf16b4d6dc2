import { Inject, Injectable } from '@nestjs/common';
import { Refusal } from '@skerry/contracts';
import { readAll, type RawBody } from '../documents/read-documents.js';
import type { Caller } from '../http/caller.js';
import { type Accepted, SendCommand } from './send-command.js';

/** Applies documents: all or none. */
@Injectable()
export class ApplyDocuments {
  constructor(@Inject(SendCommand) private readonly commands: SendCommand) {}

  apply(body: RawBody, ifGeneration: number | undefined, caller: Caller): Promise<Accepted> {
    const { workloads: documents, datasets } = readAll(body);
    const all = documents.length + datasets.length;
    if (ifGeneration !== undefined && (documents.length !== 1 || all > 1)) {
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
    const more = datasets.length === 0 ? {} : { datasets };
    return this.commands.send({ verb: 'workload.apply', documents, ...more, ...condition }, caller);
  }
}
