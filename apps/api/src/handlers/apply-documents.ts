import { Inject, Injectable } from '@nestjs/common';
import type { Bus } from '@skerry/bus';
import {
  admitAnswerSchema,
  type AdmitRequest,
  type Plan,
  type PlanRequest,
  planSchema,
  Refusal,
  RPC,
} from '@skerry/contracts';
import { BUS } from '@skerry/service';
import { readDocuments, type RawBody } from '../documents/read-documents.js';
import type { Caller } from '../http/caller.js';
import { traceHeaders } from '../http/request-trace.js';
import { type Accepted, SendCommand } from './send-command.js';

/** A plan decides for every document in turn. */
const PLAN_WAIT_MS = 10_000;

/** Applies documents, or asks what an apply of them would do. */
@Injectable()
export class ApplyDocuments {
  constructor(
    @Inject(BUS) private readonly bus: Bus,
    @Inject(SendCommand) private readonly commands: SendCommand,
  ) {}

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

  /** Admission by policy, then the decision by the scheduler; neither commits anything. */
  async plan(body: RawBody, caller: Caller): Promise<Plan> {
    const request: AdmitRequest = { actor: caller.actor, documents: readDocuments(body) };
    const options = { headers: traceHeaders(caller.trace), timeoutMs: PLAN_WAIT_MS };
    const admitted = admitAnswerSchema.parse((await this.bus.request(RPC.admit, request, options)).json());
    const wanted: PlanRequest = { items: admitted.items };
    return planSchema.parse((await this.bus.request(RPC.plan, wanted, options)).json());
  }
}
