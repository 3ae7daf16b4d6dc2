import { Inject, Injectable } from '@nestjs/common';
import type { Headers, Message } from '@skerry/bus';
import {
  byContract,
  HEADERS,
  journalBatchSchema,
  LIMITS,
  nodeSchema,
  observedNodeSubject,
  observedSchema,
  observedSubject,
  parseAcross,
  workloadKey,
  type IntakeAnswer,
  type JournalBatch,
  type Node,
  type Observed,
  type Site,
} from '@skerry/contracts';
import type { Verdict } from '@skerry/domain';
import { JsonLog } from '@skerry/service';
import { ReportsStore } from '../stores/reports.store.js';
import { MAX_KEYS_PER_SITE, SendingStore } from '../stores/sending.store.js';
import { isMember, SitesStore } from '../stores/sites.store.js';
import { CutOff } from './cut-off.handler.js';

/** A site that nothing is known of may be known a moment later. */
const UNKNOWN_RETRY_MS = 2_000;
/** While the hub cannot store. */
const UNSTORED_RETRY_MS = 500;
const FULL_RETRY_MS = 10_000;
/** Random bits drawn by the site; the account is put before them, so that no site can swallow another's message. */
const MESSAGE_ID = /^[A-Za-z0-9_-]{16,64}$/;
const PASSED_ON = [HEADERS.requestId, HEADERS.version];
const HEADER_VALUE = /^[\w.-]{1,64}$/;

type Report = { subject: string; body: Observed | Node | JournalBatch };

/**
 * The door through which a site's reports come in: who sends is known by the account in the subject, what is sent is
 * parsed and has to be about that site, and no site gets more than its quota. `ok` is said when the report is stored.
 */
@Injectable()
export class TakeReport {
  constructor(
    private readonly sites: SitesStore,
    private readonly sending: SendingStore,
    private readonly reports: ReportsStore,
    private readonly cutOff: CutOff,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  async handle(message: Message): Promise<IntakeAnswer> {
    const site = this.sites.ofAccount(message.subject.split('.')[1]);
    if (site === undefined || site.membership === 'pending') return wait('unavailable', UNKNOWN_RETRY_MS);
    if (!isMember(site)) return refuse('the site was removed');
    const now = performance.now();
    const verdict = this.sending.judge(site.name, message.data.length, now);
    if (verdict.kind !== 'take') return this.hold(site, verdict);
    const report = read(message, site.name);
    if ('reason' in report) return refuse(report.reason);
    if (!this.hasRoom(site, report, now)) {
      return refuse(`more than ${MAX_KEYS_PER_SITE} workloads and nodes reported`);
    }
    return this.sending.within(site.name, now, () => this.store(site, report, message.headers, now));
  }

  /** What is placed at the site may always be reported, however much else the site has invented. */
  private hasRoom(site: Site, { subject, body }: Report, now: number): boolean {
    // Of journals the stream itself keeps so many of each site and no more.
    if (body.kind === 'JournalBatch') return true;
    if (body.kind === 'Observed' && this.sites.isPlacedAt(site.name, workloadKey(body.project, body.name)))
      return true;
    return this.sending.admits(site.name, subject, now);
  }

  private async store(site: Site, report: Report, headers: Headers, now: number): Promise<IntakeAnswer> {
    const given = headers['Nats-Msg-Id'];
    const messageId = given !== undefined && MESSAGE_ID.test(given) ? `${site.account}.${given}` : undefined;
    try {
      const options = {
        headers: { ...passedOn(headers), ...byContract() },
        ...(messageId === undefined ? {} : { messageId }),
      };
      const { subject, body } = report;
      if (body.kind === 'JournalBatch') await this.reports.addJournal(body, options);
      else await this.reports.put(subject, body, options, now);
      return { ok: true };
    } catch (error) {
      this.log.debug(`report ${report.subject} not stored`, error);
      return wait('unavailable', this.reports.isFull(error) ? FULL_RETRY_MS : UNSTORED_RETRY_MS);
    }
  }

  private hold(site: Site, verdict: Exclude<Verdict, { kind: 'take' }>): IntakeAnswer {
    switch (verdict.kind) {
      case 'wait':
        return wait('throttled', verdict.retryAfterMs);
      case 'cut-off':
        void this.cutOff.handle(site, verdict.reason);
        return wait('throttled', this.sending.quota.cutOffForMs);
    }
  }
}

/** What a message of a site says, or why it will never be taken. */
function read(message: Message, site: string): Report | { reason: string } {
  const body = json(message);
  const [, , noun, project = '', name = '', ...rest] = message.subject.split('.');
  if (rest.length > 0) return { reason: 'a subject with too many parts' };
  switch (noun) {
    case 'workload': {
      const parsed = parseAcross(observedSchema, body);
      if (!parsed.ok) return { reason: whyNot(parsed.issues) };
      const told = parsed.value;
      if (told.site !== site || told.project !== project || told.name !== name) return MISNAMED;
      return { subject: observedSubject(site, project, name), body: told };
    }
    case 'node': {
      const parsed = parseAcross(nodeSchema, body);
      if (!parsed.ok) return { reason: whyNot(parsed.issues) };
      if (parsed.value.site !== site || parsed.value.node !== name) return MISNAMED;
      return { subject: observedNodeSubject(site, name), body: parsed.value };
    }
    case 'journal': {
      if (message.data.length > LIMITS.journalBatchBytes)
        return { reason: `a batch of ${message.data.length} bytes (limit journalBatchBytes)` };
      const parsed = parseAcross(journalBatchSchema, body);
      if (!parsed.ok) return { reason: whyNot(parsed.issues) };
      const { entries } = parsed.value;
      if (parsed.value.site !== site || entries.some((entry) => entry.site !== site)) return MISNAMED;
      return { subject: message.subject, body: parsed.value };
    }
    default:
      return { reason: 'neither a workload nor a node nor a journal' };
  }
}

const MISNAMED = { reason: 'the body is about something else than the subject, or about another site' };
const REASON_CHARS = 200;

function json(message: Message): unknown {
  try {
    return message.json();
  } catch {
    return undefined;
  }
}

function whyNot(issues: readonly { path: string; problem: string }[]): string {
  return issues
    .map((i) => `${i.path} ${i.problem}`.trim())
    .join('; ')
    .slice(0, REASON_CHARS);
}

function passedOn(headers: Headers): Headers {
  const kept = PASSED_ON.flatMap((name) => {
    const value = headers[name];
    return value !== undefined && HEADER_VALUE.test(value) ? [[name, value] as const] : [];
  });
  return Object.fromEntries(kept);
}

const wait = (code: 'throttled' | 'unavailable', retryAfterMs: number): IntakeAnswer => ({
  ok: false,
  code,
  retryAfterMs,
});
const refuse = (reason: string): IntakeAnswer => ({ ok: false, code: 'refused', retryAfterMs: 0, reason });
