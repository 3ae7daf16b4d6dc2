import { Inject, Injectable } from '@nestjs/common';
import type { Message } from '@skerry/bus';
import {
  admitRequestSchema,
  parse,
  Refusal,
  type AdmitAnswer,
  type AdmitRequest,
  type Workload,
} from '@skerry/contracts';
import { admit, type Admission } from '@skerry/domain';
import { Desk, type Papers } from '../stores/desk.js';

/** Request id of what is only looked at: never stored. */
const LOOKING = 'looked-at-only';

/** Answers what an apply of some documents would be now, and commits nothing. */
@Injectable()
export class AdmitHandler {
  constructor(@Inject(Desk) private readonly desk: Desk) {}

  async handle(message: Message): Promise<AdmitAnswer> {
    const parsed = parse(admitRequestSchema, message.json());
    if (!parsed.ok) throw new Refusal('malformed', 'not a request to admit', { issues: parsed.issues });
    const papers = await this.desk.papersFor({
      verb: 'workload.apply',
      documents: parsed.value.documents,
    });
    const admission = admit(lookingRequest(parsed.value), papers.state, this.desk.tools);
    if (!admission.ok) throw refusalOf(admission);
    return { items: parsed.value.documents.map((d) => itemOf(d.metadata, admission, papers)) };
  }
}

/** Looking commits nothing, so that a viewer may look as well. */
function lookingRequest({ actor: { subject }, documents }: AdmitRequest) {
  const actor = { subject, role: 'operator' as const };
  const now = new Date().toISOString();
  const body = { verb: 'workload.apply' as const, documents };
  const command = { kind: 'Command' as const, requestId: LOOKING, actor, sentAt: now, body };
  return { command, sequence: Number.MAX_SAFE_INTEGER, now };
}

function refusalOf({ code, title, issues, hint }: Extract<Admission, { ok: false }>): Refusal {
  return new Refusal(code, title, { issues: [...issues], ...(hint === undefined ? {} : { hint }) });
}

function itemOf(
  { project, name }: { project: string; name: string },
  { writes }: Extract<Admission, { ok: true }>,
  { state }: Papers,
): AdmitAnswer['items'][number] {
  const known = state.workload(project, name);
  const written = writes.workloads.find((w: Workload) => w.project === project && w.name === name);
  const workload = written ?? known;
  if (!workload) throw new Error(`admitted ${project}/${name} without a workload`);
  if (!written) return { change: 'none', workload };
  return { change: known && !known.removed ? 'update' : 'create', workload };
}
