import { Inject, Injectable } from '@nestjs/common';
import type { Message } from '@skerry/bus';
import {
  admitRequestSchema,
  parse,
  Refusal,
  type AdmitAnswer,
  type AdmitRequest,
  type CommandBody,
  type Dataset,
  type Workload,
} from '@skerry/contracts';
import { admit, type Admission } from '@skerry/domain';
import { Desk, type Papers } from '../stores/desk.js';

type Apply = Extract<CommandBody, { verb: 'workload.apply' }>;
type Admitted = Extract<Admission, { ok: true }>;
interface Ref {
  project: string;
  name: string;
}

/** Request id of what is only looked at: never stored. */
const LOOKING = 'looked-at-only';

/** Answers what an apply of some documents would be now, and commits nothing. */
@Injectable()
export class AdmitHandler {
  constructor(@Inject(Desk) private readonly desk: Desk) {}

  async handle(message: Message): Promise<AdmitAnswer> {
    const parsed = parse(admitRequestSchema, message.json());
    if (!parsed.ok) throw new Refusal('malformed', 'not a request to admit', { issues: parsed.issues });
    const body = bodyOf(parsed.value);
    const papers = await this.desk.papersFor(body);
    const admission = admit(lookingRequest(parsed.value.actor, body), papers.state, this.desk.tools);
    if (!admission.ok) throw refusalOf(admission);
    const { documents, datasets } = body;
    return {
      items: documents.map((d) => itemOf(d.metadata, admission, papers)),
      ...(datasets && { datasets: datasets.map((d) => datasetOf(d.metadata, admission, papers)) }),
    };
  }
}

/** What an apply of the documents would ask for. */
function bodyOf({ documents, datasets }: AdmitRequest): Apply {
  return { verb: 'workload.apply', documents, ...(datasets && { datasets }) };
}

/** Looking commits nothing, so that a viewer may look as well. */
function lookingRequest({ subject }: AdmitRequest['actor'], body: Apply) {
  const actor = { subject, role: 'operator' as const };
  const now = new Date().toISOString();
  const command = { kind: 'Command' as const, requestId: LOOKING, actor, sentAt: now, body };
  return { command, sequence: Number.MAX_SAFE_INTEGER, now };
}

function refusalOf({ code, title, issues, hint }: Extract<Admission, { ok: false }>): Refusal {
  return new Refusal(code, title, { issues: [...issues], ...(hint === undefined ? {} : { hint }) });
}

function itemOf(
  { project, name }: Ref,
  { writes }: Admitted,
  { state }: Papers,
): AdmitAnswer['items'][number] {
  const known = state.workload(project, name);
  const written = writes.workloads.find((w: Workload) => w.project === project && w.name === name);
  const workload = written ?? known;
  if (!workload) throw new Error(`admitted ${project}/${name} without a workload`);
  return { change: changeOf(known, written), workload };
}

function datasetOf(
  { project, name }: Ref,
  { writes }: Admitted,
  { state }: Papers,
): NonNullable<AdmitAnswer['datasets']>[number] {
  const known = state.dataset(project, name);
  const written = writes.datasets.find((d: Dataset) => d.project === project && d.name === name);
  const dataset = written ?? known;
  if (!dataset) throw new Error(`admitted dataset ${project}/${name} without it`);
  return { change: changeOf(known, written), dataset };
}

function changeOf(known: { removed: boolean } | undefined, written: object | undefined) {
  if (!written) return 'none';
  return known?.removed === false ? 'update' : 'create';
}
