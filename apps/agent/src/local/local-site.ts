import type { Bus } from '@skerry/bus';
import {
  SITE_JOURNALS,
  SITE_STREAMS,
  workloadKey,
  type Assignment,
  type SiteWorkload,
} from '@skerry/contracts';
import type { SiteCommand } from '../members/site-command.js';
import type { NodeAgent } from '../node-agent.js';
import type { Report } from '../replicas/supervisor.js';
import { hubObjectOf } from '../desired/held-object.js';
import { Absence } from './absence.js';
import { BegunHere } from './begun-here.js';
import { BringBack } from './bring-back.js';
import { ChangesBook } from './changes-book.js';
import { Journal } from './journal.js';
import { JournalUplink } from './journal-uplink.js';
import { Operations } from './operations.js';
import { Proposals } from './proposals.js';
import { ReplicaWatch } from './replica-watch.js';

const TIDY_EVERY_MS = 60 * 60_000;
const LOOK_MS = 500;

export interface LocalSiteOptions {
  /** Who speaks for the site. */
  command: Pick<SiteCommand, 'acting' | 'controller' | 'lostNodes' | 'nodes' | 'report'>;
  /** What is wanted may have changed at the hub. */
  onDecided: () => void;
}

/** What a site does by itself for people who are there: it answers them, keeps what they change, and tells what happened. */
export class LocalSite {
  private readonly ends: (() => Promise<void> | void)[] = [];
  private proposals: Proposals | undefined;

  private constructor(
    private readonly agent: NodeAgent,
    private readonly journal: Journal,
  ) {}

  /** Throws when the site's server does not take it; may be tried again. */
  static async open(bus: Bus, agent: NodeAgent, options: LocalSiteOptions): Promise<LocalSite> {
    const { site, node, budget } = agent.site;
    const journal = new Journal({ site, node, log: agent.log, budget: budgetOf(budget) });
    const local = new LocalSite(agent, journal);
    try {
      await local.begin(bus, options);
      return local;
    } catch (error) {
      await local.close();
      throw error;
    }
  }

  /** What a person has to mend. */
  get trouble(): string | undefined {
    return this.journal.trouble;
  }

  async close(): Promise<void> {
    for (const end of this.ends.toReversed()) await end();
    this.journal.close();
  }

  private async begin(bus: Bus, options: LocalSiteOptions): Promise<void> {
    const { agent, journal } = this;
    const { command } = options;
    const acting = () => command.acting;
    await journal.use(bus);
    journal.state({ what: 'agent-started' });
    const watch = new ReplicaWatch(journal, () => agent.supervisor.running());
    const absence = new Absence({
      path: agent.places.cutOff,
      silentMs: () => agent.silence.silentMs,
      acting,
      journal,
      watch,
      log: agent.log,
    });
    await absence.start();
    this.ends.push(() => absence.stop());
    agent.reporter.onReported((report) => watch.reported(report));
    const book = await this.openBook(bus);
    this.ends.push(async () => await book.close());
    const { log } = agent;
    const proposals = new Proposals({
      site: agent.site.site,
      bus,
      book,
      journal,
      acting,
      log,
      onDecided: options.onDecided,
      isAsWanted: (key) => isAsWanted(agent, key),
    });
    this.proposals = proposals;
    this.ends.push(() => proposals.close());
    const brought = new BringBack({
      site: agent.site.site,
      bus,
      journal,
      acting,
      log,
      held: (key) => heldOf(agent, key),
    });
    this.ends.push(() => brought.close());
    agent.unknownAtHub = (keys) => brought.propose(keys);
    const begun = new BegunHere({ book, acting, compare: options.onDecided, log });
    this.ends.push(() => begun.close());
    this.watchSite(command);
    const operations = new Operations(bus, {
      agent,
      journal,
      book,
      absence,
      outboxMessages: async () => (await bus.streamState(SITE_STREAMS.OUT))?.messages ?? 0,
      command,
      report: (key) => reportOf(agent, key, command.report(key)),
    });
    this.ends.push(async () => await operations.close());
    const { journalBytes } = budgetOf(agent.site.budget);
    const uplink = new JournalUplink(bus, { journalBytes, log });
    this.ends.push(async () => await uplink.close());
    agent.localTrouble = () => journal.trouble ?? uplink.trouble;
    await uplink.start();
    const tidy = setInterval(() => void book.tidy(Date.now()), TIDY_EVERY_MS).unref();
    this.ends.push(() => clearInterval(tidy));
    proposals.kick();
  }

  /** Writes down which nodes of the site were lost, and came back; and sends on what another left when this agent takes over. */
  private watchSite(command: LocalSiteOptions['command']): void {
    let before: ReadonlySet<string> = new Set();
    const look = () => {
      if (!command.acting) return;
      this.proposals?.kick();
      const now = new Set(command.lostNodes);
      for (const node of now) if (!before.has(node)) this.journal.state({ what: 'node-lost', text: node });
      for (const node of before) if (!now.has(node)) this.journal.state({ what: 'node-back', text: node });
      before = now;
    };
    const timer = setInterval(look, LOOK_MS).unref();
    this.ends.push(() => clearInterval(timer));
  }

  private async openBook(bus: Bus): Promise<ChangesBook> {
    const { agent, journal } = this;
    const book = await ChangesBook.open(bus, {
      onOverride: async (key, change) => await agent.override(key, change),
      onGone: async (key) => void (await agent.override(key, undefined)),
      onDisk: () =>
        agent.store.entries().flatMap(([key, held]) => (held.override === undefined ? [] : [key])),
      onProposals: () => this.proposals?.kick(),
      log: agent.log,
    });
    agent.onSuperseded(({ project, name, proposal }) => {
      journal.state({ what: 'change-superseded', project, name, requestId: proposal });
      book.drop(workloadKey(project, name)).catch(() => undefined);
    });
    return book;
  }
}

/** What the hub gave of a workload that is still wanted here. */
function heldOf(agent: NodeAgent, key: string): Assignment | undefined {
  const held = agent.store.get(key);
  const object = held && hubObjectOf(held);
  return object?.kind === 'Assignment' ? object : undefined;
}

/** Whether a change puts in place what the hub wants anyhow. */
function isAsWanted(agent: NodeAgent, key: string): boolean {
  const held = agent.store.get(key);
  const base = held && hubObjectOf(held);
  const change = held?.override?.change;
  if (change === undefined || base?.kind !== 'Assignment') return false;
  const { version, requestId } = base;
  return JSON.stringify({ ...change.object, version, requestId }) === JSON.stringify(base);
}

function reportOf(agent: NodeAgent, key: string, report: Report | undefined): SiteWorkload | undefined {
  if (report === undefined) return undefined;
  const { project, name, version, state, refusal, wanted, replicas } = report;
  const change = agent.store.get(key)?.override?.change;
  return {
    project,
    name,
    version,
    state,
    ...(refusal === undefined ? {} : { refusal }),
    wanted,
    replicas,
    ...(change === undefined ? {} : { override: { verb: change.verb, by: change.by, at: change.at } }),
  };
}

const MIB = 1024 * 1024;

function budgetOf({ journalMiB, eventsMiB }: NodeAgent['site']['budget']): {
  journalBytes: number;
  eventBytes: number;
} {
  return {
    journalBytes: journalMiB === undefined ? SITE_JOURNALS.JOURNAL.maxBytes : Math.round(journalMiB * MIB),
    eventBytes: eventsMiB === undefined ? SITE_JOURNALS.EVENTS.maxBytes : Math.round(eventsMiB * MIB),
  };
}
