import { Inject, Injectable } from '@nestjs/common';
import type { Bus } from '@skerry/bus';
import {
  admitAnswerSchema,
  type AdmitRequest,
  type MoveRequest,
  type Plan,
  type PlanApplied,
  type PlanRequest,
  planSchema,
  Refusal,
  RPC,
  type Scenario,
  type WhatIfBody,
} from '@skerry/contracts';
import { BUS } from '@skerry/service';
import { bodyOf, readDocuments, type Documents, type RawBody } from '../documents/read-documents.js';
import type { Caller } from '../http/caller.js';
import { traceHeaders } from '../http/request-trace.js';
import { requireRole } from '../http/require-role.js';
import { OutcomesStore } from '../stores/outcomes.store.js';
import { PlansStore } from '../stores/plans.store.js';
import { differencesOf } from './plan-differences.js';
import { SendCommand } from './send-command.js';

/** A plan decides for every document or touched workload in turn. */
const PLAN_WAIT_MS = 10_000;

/** Previews: what would be placed where. Kept for 24 h, and applied only while deciding again gives the same. */
@Injectable()
export class MakePlans {
  constructor(
    @Inject(BUS) private readonly bus: Bus,
    @Inject(PlansStore) private readonly plans: PlansStore,
    @Inject(OutcomesStore) private readonly outcomes: OutcomesStore,
    @Inject(SendCommand) private readonly commands: SendCommand,
  ) {}

  /** What an apply of these documents would do. */
  async plan(body: RawBody, caller: Caller): Promise<Plan> {
    const documents = readDocuments(body);
    const plan = await this.decide(documents, caller);
    await this.plans.keep(plan, documents);
    return plan;
  }

  /** What a scenario would do. */
  async whatIf(body: WhatIfBody, caller: Caller): Promise<Plan> {
    const plan = await this.ask(RPC.whatIf, body, caller);
    await this.plans.keep(plan);
    return plan;
  }

  /** As it was made. */
  async kept(id: string): Promise<Plan> {
    const plan = await this.plans.plan(id);
    if (plan) return plan;
    throw new Refusal('not-found', `no plan ${id}`, { hint: 'plans are kept for 24 h; make it again' });
  }

  /** Decides again; what comes out differently from what was planned is refused with every difference. */
  async apply(id: string, caller: Caller): Promise<PlanApplied> {
    const planned = await this.kept(id);
    const { scenario } = planned;
    switch (scenario.kind) {
      case 'apply':
        return this.applyDocuments(planned, caller);
      case 'rebalance':
        return this.move(planned, scenario, caller);
      case 'without-site':
      case 'drain':
        throw new Refusal('conflict', `plan ${id} is a preview only: it says what would be, not what to do`, {
          hint:
            scenario.kind === 'drain'
              ? `cordon ${scenario.site} so that it takes nothing new, or remove it so that its work moves away`
              : 'remove the site, or change the documents and plan those',
        });
      default:
        return scenario satisfies never;
    }
  }

  private async applyDocuments(planned: Plan, caller: Caller): Promise<PlanApplied> {
    // A further try of what was done before: deciding again would find nothing left to do.
    const done = caller.mayBeRetry ? await this.outcomes.get(caller.requestId) : undefined;
    if (done) return { plan: planned, outcome: done };
    const documents = await this.plans.documents(planned.id);
    if (!documents) throw new Refusal('not-found', `the documents of plan ${planned.id} are no longer kept`);
    const plan = await this.decide(documents, caller);
    if (plan.id !== planned.id) throw changed(planned, plan);
    const command = { verb: 'workload.apply' as const, ...bodyOf(documents) };
    return { plan, outcome: await this.commands.send(command, caller) };
  }

  private async move(
    planned: Plan,
    { maxMoves }: Extract<Scenario, { kind: 'rebalance' }>,
    caller: Caller,
  ): Promise<PlanApplied> {
    requireRole('operator', caller, 'move what runs');
    const request: MoveRequest = { id: planned.id, maxMoves, requestId: caller.requestId };
    const plan = await this.ask(RPC.move, request, caller);
    // The scheduler has committed nothing when its id is another.
    if (plan.id !== planned.id) throw changed(planned, plan);
    return { plan };
  }

  /** Admission by policy, then the decision by the scheduler; neither commits anything. */
  private async decide(documents: Documents, caller: Caller): Promise<Plan> {
    const wanted = documents.datasets.length > 0;
    const request: AdmitRequest = { actor: caller.actor, ...bodyOf(documents) };
    const options = { headers: traceHeaders(caller.trace), timeoutMs: PLAN_WAIT_MS };
    const answer = await knowing(wanted, 'policy', this.bus.request(RPC.admit, request, options));
    const { items, datasets } = admitAnswerSchema.parse(answer.json());
    if (wanted && datasets === undefined) throw tooOld('policy');
    const plan = await knowing(
      wanted,
      'scheduler',
      this.ask(RPC.plan, { items, ...(datasets && { datasets }) } satisfies PlanRequest, caller),
    );
    if (wanted && plan.datasets === undefined) throw tooOld('scheduler');
    return plan;
  }

  private async ask(subject: string, request: object, caller: Caller): Promise<Plan> {
    const options = { headers: traceHeaders(caller.trace), timeoutMs: PLAN_WAIT_MS };
    return planSchema.parse((await this.bus.request(subject, request, options)).json());
  }
}

/** A service of before refuses the field itself. */
async function knowing<T>(wanted: boolean, service: string, answer: Promise<T>): Promise<T> {
  return await answer.catch((error: unknown) => {
    const unknown = error instanceof Refusal && error.details.issues?.some(({ path }) => path === 'datasets');
    throw wanted && unknown ? tooOld(service) : error;
  });
}

/** Better no plan than one that leaves out what was asked. */
function tooOld(service: string): Refusal {
  return new Refusal('conflict', `${service} is of a version that plans no datasets`, {
    hint: 'end the upgrade of the centre ("skerry upgrade" says what is left of it), or plan the workloads alone',
  });
}

function changed(planned: Plan, now: Plan): Refusal {
  return new Refusal('conflict', `deciding again gives another result than plan ${planned.id}`, {
    issues: differencesOf(planned, now),
    hint: 'nothing was applied; plan again, look at it, and apply that',
  });
}
