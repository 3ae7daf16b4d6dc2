import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectBus, type Bus } from '@skerry/bus';
import { APP, inboxPrefix, LIMITS } from '@skerry/contracts';
import { readSeed, type Login } from '@skerry/identity';
import { z } from 'zod';
import { Repeated } from '../datasets/repeated.js';
import { reason } from '../log.js';
import type { NodeAgent } from '../node-agent.js';
import { serversOf } from '../site-file.js';
import { AppLogins, connectionName } from './app-logins.js';
import { ReplicaDesk } from './replica-desk.js';

const CONNECTIONS_PER_PAGE = 500;
/** Before connections are looked through again, after one that failed and between two. */
const AGAIN_MS = 1_000;
const pageSchema = z.object({
  server: z.object({ id: z.string() }),
  data: z.object({
    total: z.number(),
    connections: z.array(z.object({ cid: z.number(), authorized_user: z.string().optional() })),
  }),
});

interface Connection {
  cid: number;
  name: string;
}

/** A replica that may ask. */
interface Open {
  token: string;
  desk: ReplicaDesk;
  logins: Login[];
}

/**
 * The door for applications at the site's own server, beside that over HTTP: lets the replicas of this node in by their tokens,
 * answers what they ask, and ends their connections when they have ended. Where the server was set up without it, it does nothing.
 */
export class NatsDoor {
  private bus: Bus | undefined;
  private readonly open = new Map<string, Open>();
  private aligning: NodeJS.Immediate | undefined;
  private readonly looking = new Repeated(async () => await this.lookThrough());
  /** The last look. */
  private failed = false;
  private closed = false;

  private constructor(private readonly agent: NodeAgent) {}

  /** Opens it as soon as there is a server. */
  static at(agent: NodeAgent): NatsDoor {
    const door = new NatsDoor(agent);
    const { localSeed, loginsSeed } = agent.places;
    if (!existsSync(localSeed) || !existsSync(loginsSeed)) return door;
    door.begin().catch((error: unknown) => {
      agent.log.error('applications are not let in at the server', { reason: reason(error) });
    });
    return door;
  }

  async close(): Promise<void> {
    this.closed = true;
    if (this.aligning !== undefined) clearImmediate(this.aligning);
    await Promise.all([...this.open.values()].map(async ({ desk }) => await desk.close()));
    await this.bus?.close();
  }

  private async begin(): Promise<void> {
    const { agent } = this;
    const { site, places, log, runner } = agent;
    const issuer = await readSeed(places.loginsSeed);
    const bus = await connectBus({
      ...serversOf(site),
      name: `applications at ${site.node}`,
      nkeySeedFile: places.localSeed,
      inboxPrefix: inboxPrefix(APP.agent),
      firstConnectMs: Infinity,
      onAlarm: (alarm) => log.warn('applications', { what: alarm.what, reason: reason(alarm.error) }),
    });
    if (this.closed) return await bus.close();
    this.bus = bus;
    runner.onChange(() => this.alignSoon());
    this.align(bus);
    const tokens = () => runner.tokens();
    const several = () => agent.roster.several;
    const logins = new AppLogins({ issuer, node: site.node, tokens, several, log });
    bus.listen(APP.logins, (m) => {
      if (agent.removed) return;
      const decided = logins.decide(Buffer.from(m.data).toString('utf8'));
      if (decided === undefined) return;
      if (decided.admitted !== undefined) this.admit(bus, decided.admitted);
      m.reply?.(Buffer.from(decided.answer));
    });
    this.looking.ask();
  }

  private alignSoon(): void {
    const { bus } = this;
    if (bus === undefined || this.closed) return;
    this.aligning ??= setImmediate(() => {
      this.aligning = undefined;
      this.align(bus);
    });
  }

  /** Who may be running is answered, and nobody else. */
  private align(bus: Bus): void {
    const tokens = this.agent.runner.tokens();
    for (const [replica, { token, desk, logins }] of this.open) {
      if (tokens.get(replica) === token) continue;
      this.open.delete(replica);
      void desk.close();
      for (const { server, connection } of logins) void this.end(bus, server, connection);
      // Also those that are not known by number.
      this.looking.ask();
    }
    for (const [replica, token] of tokens)
      if (!this.open.has(replica))
        this.open.set(replica, { token, desk: this.deskOf(bus, replica, token), logins: [] });
  }

  private deskOf(bus: Bus, replica: string, token: string): ReplicaDesk {
    const { copies, entryLogs: logs, refusals, runner, singletons, log } = this.agent;
    return new ReplicaDesk({
      bus,
      replica,
      desk: { datasets: { copies, refusals }, logs: { logs, refusals } },
      caller: () => runner.byToken(token)?.workload.assignment,
      ownership: () => singletons.ownershipOf(token),
      log,
    });
  }

  /** Whom the server is about to let in is answered from now on. */
  private admit(bus: Bus, login: Login): void {
    this.align(bus);
    const logins = this.open.get(login.user)?.logins;
    logins?.push(login);
    if (logins !== undefined && logins.length > LIMITS.appConnections) this.looking.ask();
  }

  /** Ends what may not be there any more, also what an earlier agent let in; at the server that answers first, where there are three. */
  private async lookThrough(): Promise<void> {
    const { bus } = this;
    if (bus === undefined || this.closed) return;
    try {
      const { server, connections } = await this.connections(bus);
      const unwanted = this.unwanted(server, connections);
      const ended = await Promise.all(unwanted.map(async (cid) => await this.end(bus, server, cid)));
      if (ended.includes(false)) throw new Error('some were not ended');
      this.failed = false;
    } catch (error) {
      if (this.closed) return;
      const say = this.failed ? 'debug' : 'warn';
      this.agent.log[say]('connections of replicas that have ended are looked for again', {
        reason: reason(error),
      });
      this.failed = true;
      this.looking.ask();
    }
    await sleep(AGAIN_MS, undefined, { ref: false });
  }

  /** Those of replicas of this node, at one server. */
  private async connections(bus: Bus): Promise<{ server: string; connections: Connection[] }> {
    const connections: Connection[] = [];
    for (let offset = 0; ; offset += CONNECTIONS_PER_PAGE) {
      const asked = { auth: true, offset, limit: CONNECTIONS_PER_PAGE };
      const { server, data } = pageSchema.parse((await bus.request(APP.connections, asked)).json());
      for (const { cid, authorized_user: name = '' } of data.connections)
        if (name.split(' ')[1] === this.agent.site.node) connections.push({ cid, name });
      if (offset + CONNECTIONS_PER_PAGE >= data.total) return { server: server.id, connections };
    }
  }

  /** Of replicas that have ended, or by a token of before; of too many of one replica the oldest. Forgets those that have gone. */
  private unwanted(server: string, connections: readonly Connection[]): number[] {
    const { node } = this.agent.site;
    const wanted = new Set<number>();
    for (const [replica, open] of this.open) {
      const own = connectionName({ replica, node, token: open.token });
      const cids = connections.filter(({ name }) => name === own).map(({ cid }) => cid);
      for (const cid of cids.toSorted((a, b) => b - a).slice(0, LIMITS.appConnections)) wanted.add(cid);
      open.logins = open.logins
        .filter((login) => login.server !== server || wanted.has(login.connection))
        .slice(-LIMITS.appConnections);
    }
    return connections.flatMap(({ cid }) => (wanted.has(cid) ? [] : [cid]));
  }

  /** Whether it was. */
  private async end(bus: Bus, server: string, cid: number): Promise<boolean> {
    try {
      await bus.request(APP.kick(server), { cid });
      return true;
    } catch (error) {
      this.agent.log.debug('a connection was not ended', { cid, reason: reason(error) });
      return false;
    }
  }
}
