import { Conflict, StorageFull, type Bus, type Message, type Subscription } from '@skerry/bus';
import {
  LIMITS,
  LOCAL,
  operationSchema,
  operatorRequestSchema,
  parse,
  Refusal,
  workloadKey,
  type Actor,
  type Operation,
  type OperatorRequest,
  type Override,
  type Proposal,
  type SiteChangeAnswer,
  type SiteChangeVerb,
  type SiteLogsAnswer,
  type SiteReport,
  type SiteStatusPage,
  type SiteWorkload,
} from '@skerry/contracts';
import {
  admitRequest,
  decideSiteChange,
  refuseOperation,
  siteReport,
  type HeldAtSite,
  type Rejected,
} from '@skerry/domain';
import { isSignedBy } from '@skerry/identity';
import { hubObjectOf, type HeldObject } from '../desired/held-object.js';
import { LogRequests } from '../logs/log-requests.js';
import type { SiteCommand } from '../members/site-command.js';
import type { NodeAgent } from '../node-agent.js';
import type { Absence } from './absence.js';
import type { ChangesBook } from './changes-book.js';
import type { Journal } from './journal.js';
import { RefusedRequests } from './refused-requests.js';

/** Bytes of workloads in one page of a status: well below a message. */
const PAGE_BYTES = LIMITS.statusPageBytes;
/** Tries of a change that others come between. */
const TRIES = 5;
/** Who speaks for the site may change at any time. */
const LOOK_MS = 250;
const LEADERLESS_MS = 2_000;

export interface OperationsOptions {
  agent: NodeAgent;
  journal: Journal;
  book: ChangesBook;
  absence: Absence;
  outboxMessages: () => Promise<number>;
  command: Pick<SiteCommand, 'acting' | 'controller' | 'nodes'>;
  /** What this node knows of a workload, or the whole site of it. */
  report: (key: string) => SiteWorkload | undefined;
}

/** Answers people at the site, by the rights and rules that the hub delivered last; it needs no hub. */
export class Operations {
  private readonly logs: LogRequests;
  private readonly hearing: Subscription[];
  private readonly timer: NodeJS.Timeout;
  private answering: Subscription | undefined;
  /** Since when nobody is known to speak for the site. */
  private leaderless: number | undefined;
  private turn: Promise<unknown> = Promise.resolve();
  private reporting: Promise<SiteReport> | undefined;
  private readonly refusedRequests: RefusedRequests;

  constructor(
    private readonly bus: Bus,
    private readonly options: OperationsOptions,
  ) {
    this.refusedRequests = new RefusedRequests(options.journal);
    this.logs = new LogRequests(bus, options.agent, LOCAL.logPage);
    // Lines lie where their replicas ran: whoever is asked has all nodes send theirs.
    this.hearing = [
      bus.listen(LOCAL.logs, (m) => this.logs.ask(m)),
      bus.listen(LOCAL.logsMore, (m) => this.logs.more(m)),
    ];
    this.look();
    this.timer = setInterval(() => this.look(), LOOK_MS).unref();
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    this.refusedRequests.close();
    this.logs.close();
    await Promise.all(
      [...this.hearing, ...(this.answering ? [this.answering] : [])].map(async (s) => await s.drain()),
    );
  }

  /** Answers as long as this agent speaks for the site, or nobody does: then any agent will do. */
  private look(): void {
    const { acting, controller } = this.options.command;
    this.leaderless = acting || controller !== undefined ? undefined : (this.leaderless ?? performance.now());
    const alone = this.leaderless !== undefined && performance.now() - this.leaderless > LEADERLESS_MS;
    const wanted = acting || alone;
    if (wanted && this.answering === undefined)
      this.answering = this.bus.respond(LOCAL.request, async (m) => await this.answer(m), {
        queue: 'agents',
      });
    else if (!wanted && this.answering !== undefined) {
      void this.answering.drain();
      this.answering = undefined;
    }
  }

  private async answer(m: Message): Promise<object> {
    const parsed = parse(operatorRequestSchema, m.json());
    if (!parsed.ok) throw new Refusal('malformed', 'not a request to a site', { issues: parsed.issues });
    const request = parsed.value;
    const { agent } = this.options;
    const admitted = admitRequest(request, {
      site: agent.site.site,
      access: agent.store.access,
      nowMs: Date.now(),
      isSignedBy: (publicKey) => isSignedBy(request, publicKey),
    });
    if (!admitted.ok) throw this.refused(admitted, request);
    const operation = operationOf(request);
    const forbidden = refuseOperation(admitted.actor, operation);
    if (forbidden !== undefined) throw this.refused(forbidden, request, admitted.actor);
    return await this.perform(operation, request, admitted.actor);
  }

  private async perform(operation: Operation, request: OperatorRequest, actor: Actor): Promise<object> {
    switch (operation.verb) {
      case 'status':
        return await this.status(operation);
      case 'logs': {
        const { verb: _verb, ...wanted } = operation;
        this.bus.say(LOCAL.logs, wanted);
        return { nodes: this.options.command.nodes } satisfies SiteLogsAnswer;
      }
      case 'logs-more':
        this.bus.say(LOCAL.logsMore, { id: operation.id });
        return { nodes: this.options.command.nodes } satisfies SiteLogsAnswer;
      case 'report':
        return await this.report();
      case 'stop':
      case 'start':
      case 'apply':
        return await this.inTurn(async () => await this.change(operation, request, actor));
    }
  }

  /** One at a time: whoever asks meanwhile gets the same. */
  private async report(): Promise<SiteReport> {
    const made = async () =>
      siteReport(this.options.agent.site.site, await this.options.journal.read(), {
        from: 'site',
        at: new Date().toISOString(),
      });
    this.reporting ??= made().finally(() => (this.reporting = undefined));
    return await this.reporting;
  }

  private async change(
    operation: Extract<Operation, { verb: SiteChangeVerb }>,
    request: OperatorRequest,
    actor: Actor,
  ): Promise<SiteChangeAnswer> {
    const { book, agent, journal } = this.options;
    const { access } = agent.store;
    if (access === undefined) throw new Refusal('unavailable', 'this site does not know who may act here');
    if (book.open().length >= LIMITS.openSiteChanges) {
      throw new Refusal(
        'throttled',
        `${LIMITS.openSiteChanges} changes wait for the hub (limit openSiteChanges)`,
      );
    }
    for (let tries = 0; ; tries += 1) {
      const known = book.proposal(request.id);
      if (known !== undefined) return answerOf(known);
      const decision = decideSiteChange({
        operation,
        id: request.id,
        by: actor.subject,
        at: request.at,
        access,
        held: (project, name) => heldAt(agent.store.get(workloadKey(project, name))),
        all: () => agent.store.entries().flatMap(([, held]) => heldAt(held) ?? []),
      });
      if (!decision.ok) throw this.refused(decision, request, actor);
      const { overrides, changes } = decision;
      if (overrides.length === 0) return { id: request.id, changes };
      const proposal = proposalOf(operation.verb, { request, actor, overrides, site: agent.site.site });
      refuseBeyond(book.bytes + Buffer.byteLength(JSON.stringify([proposal, overrides])));
      if (tries === 0) {
        await journal.audit({
          what: 'operation',
          by: actor.subject,
          requestId: request.id,
          text: `${operation.verb} ${overrides.map(({ project, name }) => `${project}/${name}`).join(', ')}`,
        });
      }
      try {
        await book.add(proposal, overrides);
      } catch (error) {
        if (error instanceof Conflict && tries < TRIES) continue;
        if (error instanceof StorageFull)
          throw new Refusal(
            'storage-full',
            `the server of ${agent.site.site} takes no more: nothing was changed`,
          );
        throw error;
      }
      for (const change of overrides) await agent.override(workloadKey(change.project, change.name), change);
      return { id: request.id, changes };
    }
  }

  private async status({ project, after }: Extract<Operation, { verb: 'status' }>): Promise<SiteStatusPage> {
    const { agent, journal, absence } = this.options;
    const { access } = agent.store;
    const silent = Math.max(0, Math.round(agent.silence.silentMs));
    const keys = agent.store
      .entries()
      .filter(
        ([key, { object }]) =>
          object.kind === 'Assignment' &&
          (project === undefined || object.project === project) &&
          (after === undefined || key > after),
      )
      .map(([key]) => key)
      .toSorted();
    const workloads: SiteWorkload[] = [];
    let [bytes, next] = [0, undefined as string | undefined];
    for (const [i, key] of keys.entries()) {
      const workload = this.options.report(key);
      if (workload === undefined) continue;
      bytes += Buffer.byteLength(JSON.stringify(workload));
      if (bytes > PAGE_BYTES && workloads.length > 0) {
        next = keys[i - 1];
        break;
      }
      workloads.push(workload);
    }
    return {
      site: agent.site.site,
      node: agent.site.node,
      hubSilentMs: silent,
      cutOff: absence.awaySince !== undefined,
      outboxMessages: await this.options.outboxMessages(),
      journal: await journal.usage(),
      troubles: agent.troubles,
      ...(access === undefined ? {} : { accessUntil: access.validUntil }),
      workloads,
      ...(next === undefined ? {} : { next }),
    };
  }

  /** The refusal as it goes back; who was refused is noted, as long as there is room. */
  private refused({ code, title, issues, hint }: Rejected, request: OperatorRequest, actor?: Actor): Refusal {
    this.refusedRequests.count({
      requestId: request.id,
      by: actor?.subject ?? `token ${request.tokenId}`,
      text: title,
    });
    return new Refusal(code, title, { issues: [...issues], ...(hint === undefined ? {} : { hint }) });
  }

  /** Changes are made one after the other: each is decided on what the one before has left. */
  private async inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.turn.then(work);
    this.turn = mine.catch(() => undefined);
    return await mine;
  }
}

function refuseBeyond(bytes: number): void {
  if (bytes <= LIMITS.siteChangesBytes) return;
  throw new Refusal(
    'throttled',
    `changes made here would take ${bytes} bytes, at most ${LIMITS.siteChangesBytes} (limit siteChangesBytes)`,
    { hint: 'nothing was changed; they count less when the hub has decided on them' },
  );
}

function operationOf({ body }: OperatorRequest): Operation {
  const parsed = parse(operationSchema, jsonOf(body));
  if (parsed.ok) return parsed.value;
  throw new Refusal('invalid', 'not an operation that this site knows', { issues: parsed.issues });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function heldAt(held: HeldObject | undefined): HeldAtSite | undefined {
  const { object } = held ?? {};
  if (held === undefined || (object?.kind !== 'Assignment' && object?.kind !== 'Tombstone')) return undefined;
  const base = hubObjectOf(held);
  const { project, name } = object;
  return { project, name, ...(base === undefined ? {} : { base }), override: held.override?.change };
}

function proposalOf(
  verb: SiteChangeVerb,
  {
    request,
    actor,
    overrides,
    site,
  }: { request: OperatorRequest; actor: Actor; overrides: readonly Override[]; site: string },
): Proposal {
  return {
    kind: 'Proposal',
    site,
    request,
    verb,
    by: actor,
    at: request.at,
    over: overrides.map(({ project, name, base }) => ({
      project,
      name,
      ...(base === undefined ? {} : { base }),
    })),
    state: 'open',
  };
}

function answerOf({ request, over }: Proposal): SiteChangeAnswer {
  return { id: request.id, changes: over.map(({ project, name }) => ({ project, name, change: 'changed' })) };
}
