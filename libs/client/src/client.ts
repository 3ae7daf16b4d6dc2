import {
  type AddSite,
  type AddSiteAnswer,
  addSiteAnswerSchema,
  type ApplyBody,
  type CommandOutcome,
  type DatasetAnswer,
  datasetAnswerSchema,
  type DatasetLag,
  type DatasetList,
  type DatasetOperation,
  type DatasetProof,
  type DatasetWhere,
  type DeadLetter,
  deadLetterSchema,
  type Doctor,
  doctorSchema,
  type Node,
  nodeSchema,
  type ObjectAnswer,
  objectAnswerSchema,
  type ObjectOperation,
  type ObjectWhere,
  outcomeSchema,
  type Plan,
  type PlanApplied,
  planAppliedSchema,
  planSchema,
  type QuotaLimits,
  quotaListAnswerSchema,
  type QuotaView,
  type RedeliverAnswer,
  redeliverAnswerSchema,
  type SiteReport,
  siteReportSchema,
  type SiteView,
  siteViewSchema,
  type Status,
  statusListAnswerSchema,
  type Upgrade,
  upgradeSchema,
  type WhatIfBody,
  type Why,
  type WhyQuery,
  whySchema,
  type WorkloadView,
  workloadViewSchema,
  type LogAnswer,
  logAnswerSchema,
  type LogOperation,
} from '@skerry/contracts';
import { NotSkerry } from './errors.js';
import { askSite, type AskOptions } from './ask-site.js';
import { datasetLag, datasetProof, datasets, datasetWhere, objectWhere } from './datasets.js';
import { type Answer, type Call, Transport, type TransportOptions } from './transport.js';
import { eventsOf, logsOf, statusChanges } from './streams.js';

/** What a command did, with the trace that it began. */
export type Done = Extract<CommandOutcome, { ok: true }> & { traceId: string };

export interface CommandOptions {
  /** Default 128 random bits. The same id again replays the outcome instead of acting twice. */
  requestId?: string;
}

const sitesSchema = siteViewSchema.array();
const nodesSchema = nodeSchema.array();
const lettersSchema = deadLetterSchema.array();

/**
 * The api, typed. Paths are written here and nowhere else among its users. Every method throws `ProblemError` when
 * the api refuses, `Unreachable` when there is no answer, `NotSkerry` when something else answers.
 */
export class SkerryClient {
  private readonly transport: Transport;

  constructor(options: TransportOptions) {
    this.transport = new Transport(options);
  }

  /** Applies documents: all or none. `ifGeneration` refuses when the only workload is at another generation. */
  apply(body: ApplyBody, options: CommandOptions & { ifGeneration?: number } = {}): Promise<Done> {
    const query = { ifGeneration: options.ifGeneration };
    return this.command({ method: 'POST', path: 'v1/apply', query, body }, options);
  }

  /** What an apply of these documents would place now; nothing is committed. Kept 24 h for `applyPlan`. */
  async plan(body: ApplyBody): Promise<Plan> {
    return this.value(await this.transport.call({ method: 'POST', path: 'v1/plan', body }, planSchema));
  }

  /** What would be placed where without a site, with a site drained, or with moves that gain. Kept 24 h too. */
  async whatIf(scenario: WhatIfBody['scenario']): Promise<Plan> {
    const call: Call = { method: 'POST', path: 'v1/what-if', body: { scenario } };
    return this.value(await this.transport.call(call, planSchema));
  }

  /** A plan as it was made. */
  async keptPlan(id: string): Promise<Plan> {
    return this.value(await this.transport.call(get(planPath(id)), planSchema));
  }

  /**
   * Decides again and applies what was planned. Refused with code `conflict` when it would be another decision now (an
   * issue for each difference) or when the plan is a preview only; `not-found` when it is no longer kept.
   */
  async applyPlan(id: string, options: CommandOptions = {}): Promise<PlanApplied> {
    const call: Call = { method: 'POST', path: `${planPath(id)}/apply`, requestId: idOf(options) };
    return this.value(await this.transport.call(call, planAppliedSchema));
  }

  /** The read model, in the order of the keys, fetched page by page. */
  async *status(project?: string): AsyncGenerator<Status> {
    let after: string | undefined;
    do {
      const call: Call = { method: 'GET', path: 'v1/status', query: { project, after } };
      const { value } = await this.transport.call(call, statusListAnswerSchema);
      yield* value.items;
      after = value.next;
    } while (after !== undefined);
  }

  /** Every status, then every change of one; `caughtUp` follows the last of those that were there. */
  watchStatus(options: { project?: string; signal?: AbortSignal; onBreak?: (reason: string) => void } = {}) {
    return statusChanges(this.transport, options);
  }

  async workload(project: string, name: string): Promise<WorkloadView> {
    return this.value(await this.transport.call(get(workloadPath(project, name)), workloadViewSchema));
  }

  /** Why it is placed as it is, or was at a revision or a moment; with `site` the explanation of that site alone. */
  async why(project: string, name: string, query: WhyQuery = {}): Promise<Why> {
    const call = { ...get(`${workloadPath(project, name)}/why`), query };
    return this.value(await this.transport.call(call, whySchema));
  }

  scale(project: string, name: string, replicas: number, options: CommandOptions = {}): Promise<Done> {
    const path = `${workloadPath(project, name)}/scale`;
    return this.command({ method: 'POST', path, body: { replicas } }, options);
  }

  /** Nothing of it runs any more; its spec stays. */
  stop(project: string, name: string, options: CommandOptions = {}): Promise<Done> {
    return this.command({ method: 'POST', path: `${workloadPath(project, name)}/stop` }, options);
  }

  start(project: string, name: string, options: CommandOptions = {}): Promise<Done> {
    return this.command({ method: 'POST', path: `${workloadPath(project, name)}/start` }, options);
  }

  remove(project: string, name: string, options: CommandOptions = {}): Promise<Done> {
    return this.command({ method: 'DELETE', path: workloadPath(project, name) }, options);
  }

  /** Lines of all its replicas, merged over sites by time; gaps say why a site's are missing. */
  logs(project: string, name: string, options: Parameters<typeof logsOf>[2] = {}) {
    return logsOf(this.transport, workloadPath(project, name), options);
  }

  async sites(): Promise<SiteView[]> {
    return this.value(await this.transport.call(get('v1/sites'), sitesSchema));
  }

  async site(name: string): Promise<SiteView> {
    return this.value(await this.transport.call(get(sitePath(name)), siteViewSchema));
  }

  /** What happened at a site, as far as its journal has come up. */
  async siteReport(name: string): Promise<SiteReport> {
    return this.value(await this.transport.call(get(`${sitePath(name)}/report`), siteReportSchema));
  }

  /** Adds a site, or gives a new token for one that has not joined yet. The token is shown once. */
  async addSite(request: AddSite, options: CommandOptions = {}): Promise<AddSiteAnswer> {
    const call: Call = { method: 'POST', path: 'v1/sites', body: request, requestId: idOf(options) };
    return this.value(await this.transport.call(call, addSiteAnswerSchema));
  }

  /** Takes a site out: its work moves first, unless `force` says that it is gone for good. */
  removeSite(
    name: string,
    options: CommandOptions & { force?: boolean; deadlineMs?: number } = {},
  ): Promise<Done> {
    const { force, deadlineMs } = options;
    const query = { force, ...(deadlineMs === undefined ? {} : { deadlineMs: String(deadlineMs) }) };
    return this.command({ method: 'DELETE', path: sitePath(name), query }, options);
  }

  /** Has what runs at a site go elsewhere: see `departureSchema`. */
  drain(
    name: string,
    body: { kind: 'drain' | 'evacuate'; deadlineMs?: number },
    options: CommandOptions = {},
  ): Promise<Done> {
    return this.command({ method: 'POST', path: `${sitePath(name)}/drain`, body }, options);
  }

  /** Takes a drain, an evacuation or a removal back. */
  recall(name: string, options: CommandOptions = {}): Promise<Done> {
    return this.command({ method: 'POST', path: `${sitePath(name)}/recall` }, options);
  }

  /** Without a rule the node is as any other again. */
  setNode(
    site: string,
    node: string,
    rule: 'cordoned' | 'draining' | undefined,
    options: CommandOptions = {},
  ): Promise<Done> {
    const body = rule === undefined ? {} : { rule };
    return this.command({ method: 'POST', path: nodePath(site, node), body }, options);
  }

  /** For ever: its name is not used again. */
  removeNode(site: string, node: string, options: CommandOptions = {}): Promise<Done> {
    return this.command({ method: 'DELETE', path: nodePath(site, node) }, options);
  }

  cordon(name: string, cordoned: boolean, options: CommandOptions = {}): Promise<Done> {
    return this.command({ method: 'POST', path: `${sitePath(name)}/cordon`, body: { cordoned } }, options);
  }

  async nodes(): Promise<Node[]> {
    return this.value(await this.transport.call(get('v1/nodes'), nodesSchema));
  }

  /** Every project that has a quota or workloads, by name, with what it takes; with `project` that one alone, whatever it has. */
  async quotas(project?: string): Promise<QuotaView[]> {
    const views: QuotaView[] = [];
    let after: string | undefined;
    do {
      const call: Call = { method: 'GET', path: 'v1/quotas', query: { project, after } };
      const { value } = await this.transport.call(call, quotaListAnswerSchema);
      views.push(...value.items);
      after = value.next;
    } while (after !== undefined);
    return views;
  }

  /** Gives a project these limits and no others, be they below what it uses. */
  setQuota(project: string, limits: QuotaLimits, options: CommandOptions = {}): Promise<Done> {
    return this.command({ method: 'PUT', path: quotaPath(project), body: limits }, options);
  }

  /** Takes a project's limits away. */
  removeQuota(project: string, options: CommandOptions = {}): Promise<Done> {
    return this.command({ method: 'DELETE', path: quotaPath(project) }, options);
  }

  /** Every dataset, by project and name. */
  datasets(): Promise<DatasetList> {
    return datasets(this.transport);
  }

  /** Where a dataset's copies are, by which rule, and how each stands. */
  datasetWhere(project: string, name: string): Promise<DatasetWhere> {
    return datasetWhere(this.transport, datasetPath(project, name));
  }

  /** Where its copies are and were, since when, by which rule, and what was refused. */
  datasetProof(project: string, name: string): Promise<DatasetProof> {
    return datasetProof(this.transport, datasetPath(project, name));
  }

  /** How far each of its copies is behind, in records and in time. */
  datasetLag(project: string, name: string): Promise<DatasetLag> {
    return datasetLag(this.transport, datasetPath(project, name));
  }

  /** Removes a dataset with all its records, everywhere. */
  removeDataset(project: string, name: string, options: CommandOptions = {}): Promise<Done> {
    return this.command({ method: 'DELETE', path: datasetPath(project, name) }, options);
  }

  /** Reads, writes or watches at a site with a copy: the named one, or one that will do. */
  askDataset(operation: DatasetOperation, options: AskOptions = {}): Promise<DatasetAnswer> {
    return askSite(
      this.transport,
      ['ask', operation],
      { ...options, requestId: idOf(options) },
      datasetAnswerSchema,
    );
  }

  /** Reads or writes an object piece by piece, likewise. */
  askObject(operation: ObjectOperation, options: AskOptions = {}): Promise<ObjectAnswer> {
    return askSite(
      this.transport,
      ['object', operation],
      { ...options, requestId: idOf(options) },
      objectAnswerSchema,
    );
  }

  /** Where an object is, and by which rule. */
  objectWhere(project: string, name: string, key: string): Promise<ObjectWhere> {
    return objectWhere(this.transport, datasetPath(project, name), key);
  }

  /** Reads a log, or appends to it: at the centre, or at a site. */
  askLog(operation: LogOperation, options: AskOptions = {}): Promise<LogAnswer> {
    return askSite(
      this.transport,
      ['log', operation],
      { ...options, requestId: idOf(options) },
      logAnswerSchema,
    );
  }

  /** The newest events, oldest first; with `follow` also those to come. */
  events(options: Parameters<typeof eventsOf>[1] = {}) {
    return eventsOf(this.transport, options);
  }

  /** What became of a request; kept 24 h. */
  async outcome(requestId: string): Promise<CommandOutcome> {
    const path = `v1/outcomes/${encodeURIComponent(requestId)}`;
    return this.value(await this.transport.call(get(path), outcomeSchema));
  }

  /** Dead letters from the oldest on, at most 200; `after` is the id of the last one seen. */
  async deadLetters(after?: number): Promise<DeadLetter[]> {
    return this.value(await this.transport.call({ ...get('v1/dlq'), query: { after } }, lettersSchema));
  }

  async deadLetter(id: number): Promise<DeadLetter> {
    return this.value(await this.transport.call(get(`v1/dlq/${id}`), deadLetterSchema));
  }

  /** Has the app that refused it handle it again; it goes when that went well. */
  async retryDeadLetter(id: number): Promise<RedeliverAnswer> {
    const call: Call = { method: 'POST', path: `v1/dlq/${id}/retry` };
    return this.value(await this.transport.call(call, redeliverAnswerSchema));
  }

  /** Throws it away for good; answers what it was. */
  async dropDeadLetter(id: number): Promise<DeadLetter> {
    const call: Call = { method: 'DELETE', path: `v1/dlq/${id}` };
    return this.value(await this.transport.call(call, deadLetterSchema));
  }

  /** What to upgrade, in which order, and how far that is. */
  async upgrade(): Promise<Upgrade> {
    return this.value(await this.transport.call(get('v1/upgrade'), upgradeSchema));
  }

  async doctor(): Promise<Doctor> {
    return this.value(await this.transport.call(get('v1/doctor'), doctorSchema));
  }

  private async command(call: Call, options: CommandOptions): Promise<Done> {
    const answer = await this.transport.call({ ...call, requestId: idOf(options) }, outcomeSchema);
    if (!answer.value.ok) throw new NotSkerry('a failed outcome came with a status of success');
    return { ...answer.value, traceId: answer.value.traceId ?? answer.traceId };
  }

  private value<T>(answer: Answer<T>): T {
    return answer.value;
  }
}

/** A request id: 128 random bits as 32 hexadecimal digits. */
export function newRequestId(): string {
  return crypto.randomUUID().replaceAll('-', '');
}

function idOf(options: CommandOptions): string {
  return options.requestId ?? newRequestId();
}

function get(path: string): Call {
  return { method: 'GET', path };
}

function workloadPath(project: string, name: string): string {
  return `v1/workloads/${encodeURIComponent(project)}/${encodeURIComponent(name)}`;
}

function datasetPath(project: string, name: string): string {
  return `v1/datasets/${encodeURIComponent(project)}/${encodeURIComponent(name)}`;
}

function planPath(id: string): string {
  return `v1/plans/${encodeURIComponent(id)}`;
}

function quotaPath(project: string): string {
  return `v1/quotas/${encodeURIComponent(project)}`;
}

function nodePath(site: string, node: string): string {
  return `${sitePath(site)}/nodes/${encodeURIComponent(node)}`;
}

function sitePath(name: string): string {
  return `v1/sites/${encodeURIComponent(name)}`;
}
