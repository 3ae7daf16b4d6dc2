import { agentOf, clientOf, type ProcessSpec } from '@skerry/local';
import type { SkerryClient } from '@skerry/client';
import { startCloud, plainSite, type CloudUnderTest } from '../e2e/cloud-under-test.js';
import { endable } from './failover-ends.js';
import { SiteLab, type Cut } from '../e2e/site-lab.js';
import { withClock } from '../e2e/wrong-clock.js';
import { Timeline } from './failover-timeline.js';

const READY_MS = 90_000;
const APPLY_FOLDER = 200;
const AGENT = /^agent-/;

/** How a site is broken. */
export type Break =
  | { kind: 'cut'; which: Cut }
  | { kind: 'half-open' }
  /** Its server and its agents stop, their connections stay. */
  | { kind: 'frozen' }
  /** Its server and its agents end; replicas with a process of their own stay. */
  | { kind: 'killed' }
  /** Everything at the site ends. */
  | { kind: 'power-cut' };

/**
 * Here sites are lost every few seconds, and the same ones over and over: the bound on moves a minute and the growing
 * hold-down are there to slow that down. Both are set so that they do not; everything else is as it comes.
 */
const ENV = { SKERRY_MOVES_A_MINUTE: '1000000', SKERRY_LOSS_WINDOW_MS: '0' };

/** Clocks of the sites' agents differ from the hub's by so much: by turns ahead, right and behind. */
const CLOCKS_OFF_MS = [2_000, 0, -2_000];

/** Runs an agent with another time of day. Its server keeps the machine's: Linux has one for all namespaces. */
function withOwnClock(spec: ProcessSpec, index: number): ProcessSpec {
  const offMs = CLOCKS_OFF_MS[index % CLOCKS_OFF_MS.length] ?? 0;
  return offMs === 0 || !AGENT.test(spec.name) ? spec : withClock(spec, offMs);
}

export const describeBreak = (b: Break): string => (b.kind === 'cut' ? `cut ${b.which}` : b.kind);

/** A cloud whose sites are machines of their own that can be broken and mended. */
export class BreakableCloud {
  private constructor(
    readonly lab: SiteLab,
    readonly under: CloudUnderTest,
    readonly client: SkerryClient,
    readonly timeline: Timeline,
  ) {}

  /** With `nodes` agents at each site. */
  static async start(sites: readonly string[], nodes = 1): Promise<BreakableCloud> {
    const lab = await SiteLab.make();
    try {
      const { hubAddress: listen } = lab;
      const siteProcess: typeof lab.siteProcess = (site, spec) =>
        lab.siteProcess(site, withOwnClock(spec, sites.indexOf(site)));
      const descriptions = sites.map((name) => plainSite(name));
      const under = await startCloud({
        sites: descriptions,
        siteProcess,
        listen,
        nodes: () => nodes,
        env: ENV,
      });
      const timeline = await Timeline.follow(under.admin);
      const cloud = new BreakableCloud(lab, under, await clientOf(under.cloud), timeline);
      await cloud.ready(sites);
      return cloud;
    } catch (cause) {
      lab.remove();
      throw cause;
    }
  }

  /** Ends everything; once, also when it is called again. */
  readonly end = endable(async () => {
    await this.timeline.end();
    await this.under.end();
    this.lab.remove();
  });

  /** Resolves when the hub says so of every one. */
  async ready(sites: readonly string[]): Promise<void> {
    const missing = () => sites.filter((s) => this.timeline.phaseOf(s) !== 'ready');
    await this.timeline.until(
      () => missing().length === 0,
      READY_MS,
      () => `ready: ${missing().join(', ')}`,
    );
  }

  async apply(documents: readonly unknown[]): Promise<void> {
    for (let i = 0; i < documents.length; i += APPLY_FOLDER)
      await this.client.apply({ documents: documents.slice(i, i + APPLY_FOLDER) });
  }

  /** Breaks a site; answers when. */
  async break(site: string, how: Break): Promise<number> {
    const { lab } = this;
    const at = performance.now();
    switch (how.kind) {
      case 'cut':
        lab.cut(site, how.which);
        break;
      case 'half-open':
        if (lab.forget(site) === 0) throw new Error(`${site} has no connection to the hub`);
        break;
      case 'frozen':
        for (const name of this.processesOf(site)) this.signal(name, 'SIGSTOP');
        break;
      case 'killed':
        await this.endAll(site);
        break;
      case 'power-cut':
        await this.powerCut(site);
        break;
    }
    return at;
  }

  /** Mends a site; answers when. */
  async mend(site: string, how: Break): Promise<number> {
    switch (how.kind) {
      case 'cut':
      case 'half-open':
        this.lab.heal(site);
        break;
      case 'frozen':
        for (const name of this.processesOf(site)) this.signal(name, 'SIGCONT');
        break;
      case 'killed':
      case 'power-cut':
        this.startAll(site);
        break;
    }
    return performance.now();
  }

  /** Everything at the site ends at once, as by a power cut. Nothing starts again by itself. */
  async powerCut(site: string): Promise<void> {
    await this.endAll(site);
    for (const pid of this.lab.processes(site)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
    }
  }

  /** Starts a site's server and its agents, the server first or last by chance. */
  startAll(site: string): void {
    const { cloud } = this.under;
    const agents = cloud.nodesOf(site).map((node) => () => cloud.startAgent(site, node));
    const starts = [() => cloud.startLeaf(site), ...agents];
    if (Math.random() < 0.5) starts.reverse();
    for (const start of starts) start();
  }

  private async endAll(site: string): Promise<void> {
    const { supervisor } = this.under.cloud;
    await Promise.all(this.processesOf(site).map((name) => supervisor.stop(name, 'SIGKILL')));
  }

  private processesOf(site: string): string[] {
    const names = this.under.cloud.supervisor.names();
    const own = names.filter((name) => name === `leaf-${site}` || agentOf(name)?.site === site);
    return own.toSorted((a, b) => Number(AGENT.test(b)) - Number(AGENT.test(a)));
  }

  private signal(name: string, signal: NodeJS.Signals): void {
    const pid = this.under.cloud.supervisor.pid(name);
    if (pid !== undefined) process.kill(pid, signal);
  }
}
