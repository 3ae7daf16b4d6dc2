import { setTimeout as sleep } from 'node:timers/promises';
import type { Bus } from '@skerry/bus';
import {
  logMoreSchema,
  logRequestSchema,
  parse,
  SITE,
  type LogLine,
  type LogPage,
  type LogRequest,
} from '@skerry/contracts';
import { reason, type Log } from '../log.js';
import { byTime, ends, since, tail, type LogSource, type Position } from './log-reader.js';

/** Requests answered at once; more are told so. */
const AT_ONCE = 16;
const LINES_PER_PAGE = 1_000;
const PAGE_BYTES = 512 * 1024;
const FOLLOW_EVERY_MS = 250;
/** How long the nodes of a site have to say their lines. */
const OTHERS_MS = 500;
/** A follower who is not heard of for this long is gone. */
const SILENCE_MS = 30_000;

/** What answering takes of an agent. */
export interface LogOwner {
  readonly log: Log;
  /** Replicas of a workload that have logs here. */
  logSources(project: string, name: string): LogSource[];
  /** Who ends an answer: of several nodes that hear a request the controller, when the others had their say. Default `now`. */
  lastWord?(): 'now' | 'later' | 'never';
}

interface Follower {
  request: LogRequest;
  heardAt: number;
  positions: Map<string, Position>;
}

/** Answers requests for logs in pages, on the site's own subject. */
export class LogRequests {
  private readonly followers = new Map<string, Follower>();
  private answering = 0;
  private timer: NodeJS.Timeout | undefined;
  private busy = false;

  constructor(
    private readonly bus: Bus,
    private readonly owner: LogOwner,
    /** Where pages go to. */
    private readonly subjectOf: (id: string) => string = SITE.answer,
  ) {}

  ask(m: { json(): unknown }): void {
    const parsed = parse(logRequestSchema, safeJson(m));
    if (!parsed.ok) return;
    const request = parsed.value;
    if (this.answering + this.followers.size >= AT_ONCE) {
      this.page(request.id, {
        lines: [],
        done: true,
        error: 'too many log requests at this site: try again',
      });
      return;
    }
    this.answering++;
    this.answer(request)
      .catch((error: unknown) =>
        this.page(request.id, { lines: [], done: true, error: reason(error).slice(0, 300) }),
      )
      .finally(() => this.answering--);
  }

  more(m: { json(): unknown }): void {
    const parsed = parse(logMoreSchema, safeJson(m));
    const follower = parsed.ok ? this.followers.get(parsed.value.id) : undefined;
    if (follower) follower.heardAt = performance.now();
  }

  close(): void {
    clearInterval(this.timer);
    this.followers.clear();
  }

  private async answer(request: LogRequest): Promise<void> {
    const sources = this.owner.logSources(request.project, request.name);
    const word = this.owner.lastWord?.() ?? 'now';
    // Where to go on is noted first: a line written meanwhile is then told twice rather than never.
    const positions = new Map<string, Position>();
    if (request.follow) for (const s of sources) positions.set(s.replica, await ends(s));
    const lines: LogLine[] = [];
    for (const source of sources) lines.push(...(await tail(source, request.tail)));
    lines.sort(byTime);
    this.send(request.id, lines.slice(-request.tail || lines.length), !request.follow && word === 'now');
    if (!request.follow && word === 'later') {
      await sleep(OTHERS_MS);
      this.page(request.id, { lines: [], done: true });
    }
    if (!request.follow) return;
    this.followers.set(request.id, { request, heardAt: performance.now(), positions });
    this.timer ??= setInterval(() => void this.tick(), FOLLOW_EVERY_MS).unref();
  }

  private async tick(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    try {
      for (const follower of this.followers.values()) await this.goOn(follower);
    } catch (error) {
      this.owner.log.warn('logs were not followed', { reason: reason(error) });
    } finally {
      this.busy = false;
      if (this.followers.size === 0) {
        clearInterval(this.timer);
        this.timer = undefined;
      }
    }
  }

  private async goOn(follower: Follower): Promise<void> {
    const { request, positions } = follower;
    if (performance.now() - follower.heardAt > SILENCE_MS) {
      this.followers.delete(request.id);
      this.page(request.id, { lines: [], done: true });
      return;
    }
    for (const source of this.owner.logSources(request.project, request.name)) {
      const got = await since(source, positions.get(source.replica) ?? { stdout: 0, stderr: 0 });
      positions.set(source.replica, got.position);
      if (got.lines.length > 0) this.send(request.id, got.lines, false);
    }
  }

  private send(id: string, lines: LogLine[], last: boolean): void {
    let page: LogLine[] = [];
    let bytes = 0;
    for (const line of lines) {
      const size = Buffer.byteLength(JSON.stringify(line));
      if (page.length >= LINES_PER_PAGE || bytes + size > PAGE_BYTES) {
        this.page(id, { lines: page, done: false });
        page = [];
        bytes = 0;
      }
      page.push(line);
      bytes += size;
    }
    if (page.length > 0 || last) this.page(id, { lines: page, done: last });
  }

  private page(id: string, page: LogPage): void {
    this.bus.say(this.subjectOf(id), page);
  }
}

function safeJson(m: { json(): unknown }): unknown {
  try {
    return m.json();
  } catch {
    return undefined;
  }
}
