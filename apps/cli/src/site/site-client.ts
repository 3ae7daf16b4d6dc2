import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { connectBus, TimedOut, Unavailable, type Bus } from '@skerry/bus';
import {
  inboxPrefix,
  LOCAL,
  logPageSchema,
  siteChangeAnswerSchema,
  siteLogsAnswerSchema,
  siteReportSchema,
  siteStatusPageSchema,
  type LogLine,
  type Operation,
  type SiteChangeAnswer,
  type SiteReport,
  type SiteStatusPage,
  type SiteWorkload,
} from '@skerry/contracts';
import { signSiteRequest } from '@skerry/identity';
import { CommandFailed, EXIT } from '../exit-codes.js';
import type { SiteFolder } from './site-folder.js';

const CONNECT_MS = 3_000;
const ANSWER_MS = 10_000;
/** A site ends what is followed unless it hears at least every 30 s that somebody still listens. */
const MORE_EVERY_MS = 10_000;
/** Lines stop coming from a site whose server or agent ended. */
const LOG_SILENCE_MS = 5_000;

/** Asks a site at its own server, as the bearer of a token. The token itself never leaves this process. */
export class SiteClient {
  private constructor(
    private readonly bus: Bus,
    private readonly folder: SiteFolder,
    private readonly token: string,
  ) {}

  /** Throws `CommandFailed`, saying what to do, when the site's server cannot be reached or does not let us in. */
  static async connect(folder: SiteFolder, token: string): Promise<SiteClient> {
    if (!existsSync(folder.seedFile)) {
      throw new CommandFailed(
        EXIT.usage,
        `${folder.dir} has no operator.seed that can be read`,
        'ask as the user who runs the site; a site made before there was one gets it when "skerry-agent up" is started again',
      );
    }
    try {
      const bus = await connectBus({
        servers: [folder.server],
        name: 'skerry --site',
        nkeySeedFile: folder.seedFile,
        inboxPrefix: inboxPrefix(LOCAL.user),
        firstConnectMs: CONNECT_MS,
        onAlarm: () => undefined,
      });
      return new SiteClient(bus, folder, token);
    } catch (error) {
      throw new CommandFailed(
        EXIT.unreachable,
        `the server of ${folder.site} at ${folder.server} does not answer (${reasonOf(error)})`,
        `what runs there goes on without it; start it with: skerry-agent up --dir ${folder.dir}`,
      );
    }
  }

  async close(): Promise<void> {
    await this.bus.close();
  }

  /** What is wanted and what runs here; all pages of it. */
  async status(project?: string): Promise<SiteStatusPage> {
    const workloads: SiteWorkload[] = [];
    let after: string | undefined;
    for (;;) {
      const page = siteStatusPageSchema.parse(
        await this.ask({
          verb: 'status',
          ...(project === undefined ? {} : { project }),
          ...(after === undefined ? {} : { after }),
        }),
      );
      workloads.push(...page.workloads);
      if (page.next === undefined) return { ...page, workloads };
      after = page.next;
    }
  }

  async report(): Promise<SiteReport> {
    return siteReportSchema.parse(await this.ask({ verb: 'report' }));
  }

  async change(
    operation: Extract<Operation, { verb: 'stop' | 'start' | 'apply' }>,
  ): Promise<SiteChangeAnswer> {
    return siteChangeAnswerSchema.parse(await this.ask(operation));
  }

  /** Lines of a workload's replicas here, until the last, or until `signal` when they are followed. */
  async logs(
    wanted: { project: string; name: string; tail: number; follow: boolean; signal: AbortSignal },
    onLines: (lines: LogLine[]) => void,
  ): Promise<void> {
    const { project, name, tail, follow, signal } = wanted;
    const id = randomBytes(16).toString('hex');
    let heardAt = performance.now();
    const answer: { failed?: string | undefined; done: number } = { done: 0 };
    const pages = this.bus.listen(LOCAL.logPage(id), (m) => {
      const page = logPageSchema.parse(m.json());
      heardAt = performance.now();
      onLines(page.lines);
      answer.failed ??= page.error;
      if (page.done) answer.done += 1;
    });
    const { nodes } = siteLogsAnswerSchema.parse(
      await this.ask({ verb: 'logs', project, name, id, tail, follow }),
    );
    let moreAt = performance.now();
    while (answer.done < nodes && !signal.aborted) {
      await new Promise((go) => setTimeout(go, 50));
      if (follow && performance.now() - moreAt > MORE_EVERY_MS) {
        moreAt = performance.now();
        await this.ask({ verb: 'logs-more', id });
      }
      if (!follow && performance.now() - heardAt > LOG_SILENCE_MS) break;
    }
    await pages.drain();
    if (answer.failed !== undefined) throw new CommandFailed(EXIT.failed, answer.failed);
  }

  private async ask(operation: Operation): Promise<unknown> {
    const id = randomBytes(16).toString('hex');
    const request = signSiteRequest(this.token, {
      id,
      site: this.folder.site,
      at: new Date().toISOString(),
      body: JSON.stringify(operation),
    });
    if (request === undefined) {
      throw new CommandFailed(
        EXIT.unauthorized,
        'the token is none of Skerry: one looks like sky_<id>_<secret>',
        'put it into the context file, or into SKERRY_TOKEN',
      );
    }
    try {
      return (await this.bus.request(LOCAL.request, request, { timeoutMs: ANSWER_MS })).json();
    } catch (error) {
      if (!(error instanceof Unavailable) && !(error instanceof TimedOut)) throw error;
      if (error instanceof TimedOut && isChange(operation)) throw this.perhapsMade(operation.verb, id);
      throw new CommandFailed(
        EXIT.unreachable,
        `the server of ${this.folder.site} is there, but no agent of the site answers (${reasonOf(error)})`,
        `start it with: skerry-agent run --dir ${this.folder.dir}; what runs there goes on meanwhile`,
      );
    }
  }

  private perhapsMade(verb: string, id: string): CommandFailed {
    const { site, dir } = this.folder;
    return new CommandFailed(
      EXIT.unreachable,
      `no answer from ${site} in ${ANSWER_MS / 1_000} s: the ${verb} may have been made, and may be made yet`,
      `look before you ask again: skerry --site ${dir} report (it is there as request ${id} when it was made)`,
    );
  }
}

function isChange({ verb }: Operation): boolean {
  return verb === 'stop' || verb === 'start' || verb === 'apply';
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
