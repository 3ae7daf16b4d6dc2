import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Bus, Message, Subscription } from '@skerry/bus';
import {
  HUB,
  type LogLine,
  type LogMore,
  type LogPage,
  logPageSchema,
  type LogRequest,
  Refusal,
  type Site,
  type Status,
  type WorkloadRef,
} from '@skerry/contracts';
import { BUS } from '@skerry/service';
import type { EventStream } from '../http/streams.js';
import { FleetStore } from '../stores/fleet.store.js';
import { LogMerge } from './log-merge.js';
import { WorkloadViews } from './workload-view.js';

/** A site that says nothing for this long is passed over, and named. */
const SITE_WAIT_MS = 5_000;
/** A site ends its answer unless it hears at least every 30 s that somebody still listens. */
const MORE_EVERY_MS = 10_000;
/** Lines of several sites are put in order within this window. */
const MERGE_MS = 250;

export interface LogsRequest extends WorkloadRef {
  tail: number;
  follow: boolean;
  site: string | undefined;
}

/** One site's part of a merged log. */
interface Asked {
  site: Site;
  answers: Subscription;
  done: boolean;
  heard: boolean;
}

/** Asks every site that runs a workload for its lines and streams them merged by time. */
@Injectable()
export class ReadLogs {
  constructor(
    @Inject(BUS) private readonly bus: Bus,
    @Inject(FleetStore) private readonly fleet: FleetStore,
    @Inject(WorkloadViews) private readonly views: WorkloadViews,
  ) {}

  async stream(stream: EventStream, request: LogsRequest): Promise<void> {
    const sites = await this.sitesOf(request);
    stream.begin();
    const merge = new LogMerge(request.tail);
    const id = randomBytes(16).toString('hex');
    let wake: () => void = () => undefined;
    const asked = sites.map((site) => this.ask(site, { id, ...request }, merge, () => wake()));
    const more = setInterval(() => this.sayMore(asked, { id }), MORE_EVERY_MS);
    try {
      const beganMs = performance.now();
      for (;;) {
        const waited = performance.now() - beganMs;
        const open = asked.filter(({ done, heard }) => !done && (heard || waited < SITE_WAIT_MS));
        const finished = stream.signal.aborted || open.length === 0;
        if (request.follow || finished) await send(stream, merge, request.follow && !finished);
        if (finished) break;
        await pauseUntil((resolve) => (wake = resolve), request.follow ? MERGE_MS : 50);
      }
      for (const { site, heard } of asked)
        if (!heard) await sendGap(stream, site.name, 'the site does not answer');
    } finally {
      clearInterval(more);
      await Promise.all(asked.map(({ answers }) => answers.drain()));
    }
  }

  private async sitesOf({ project, name, site }: LogsRequest): Promise<Site[]> {
    if (site !== undefined) {
      const found = this.fleet.site(site);
      if (found) return [found];
      throw new Refusal('not-found', `no site ${site}`, { hint: 'see `skerry site ls`' });
    }
    const status: Status = await this.views.status({ project, name });
    return status.sites.flatMap((at) => this.fleet.site(at.site) ?? []);
  }

  /** Listens for a site's pages, then asks for them. The subject says which site answers, not the page. */
  private ask(site: Site, request: LogsRequest & { id: string }, merge: LogMerge, wake: () => void): Asked {
    const { id, project, name, tail, follow } = request;
    const answers = this.bus.listen(HUB.answer(site.account, id), (message) => {
      asked.heard = true;
      const page = pageOf(message);
      merge.add(page.lines.filter((line) => line.site === site.name));
      if (page.error !== undefined) merge.gap({ site: site.name, reason: page.error });
      asked.done = page.done;
      wake();
    });
    const asked: Asked = { site, answers, done: false, heard: false };
    const body: LogRequest = { id, project, name, tail, follow };
    this.bus.say(HUB.request(site.account, 'logs'), body);
    return asked;
  }

  private sayMore(asked: Asked[], body: LogMore): void {
    for (const { site, done } of asked) {
      if (!done) this.bus.say(HUB.request(site.account, 'logs-more'), body);
    }
  }
}

function pageOf(message: Message): LogPage {
  const parsed = logPageSchema.safeParse(message.json());
  return parsed.success ? parsed.data : { lines: [], done: true, error: 'the site answered nonsense' };
}

async function send(stream: EventStream, merge: LogMerge, live: boolean): Promise<void> {
  const { lines, gaps } = merge.take(live);
  for (const gap of gaps) await sendGap(stream, gap.site, gap.reason);
  for (const line of lines) await stream.send('line', line satisfies LogLine);
}

function sendGap(stream: EventStream, site: string, reason: string): Promise<void> {
  return stream.send('gap', { site, reason });
}

function pauseUntil(woken: (resolve: () => void) => void, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    woken(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
