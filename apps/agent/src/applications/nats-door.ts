import { existsSync } from 'node:fs';
import { connectBus, type Bus } from '@skerry/bus';
import { APP, inboxPrefix } from '@skerry/contracts';
import { readSeed, type Login } from '@skerry/identity';
import { z } from 'zod';
import { reason } from '../log.js';
import type { NodeAgent } from '../node-agent.js';
import { serversOf } from '../site-file.js';
import { AppLogins, connectionName } from './app-logins.js';
import { ReplicaDesk } from './replica-desk.js';

/** Connections of one replica that are remembered, to be ended with it; what is older is found among all. */
const REMEMBERED = 64;
const CONNECTIONS_PER_PAGE = 500;
const pageSchema = z.object({
  server: z.object({ id: z.string() }),
  data: z.object({
    total: z.number(),
    connections: z.array(z.object({ cid: z.number(), authorized_user: z.string().optional() })),
  }),
});

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
    await this.endOld(bus);
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
    if (logins !== undefined && logins.length > REMEMBERED) logins.shift();
  }

  /** Connections that an earlier agent let in, of replicas that have ended since; at the server that answers first, where there are three. */
  private async endOld(bus: Bus): Promise<void> {
    const { node } = this.agent.site;
    try {
      for (let offset = 0, total = 1; offset < total; offset += CONNECTIONS_PER_PAGE) {
        const asked = { auth: true, offset, limit: CONNECTIONS_PER_PAGE };
        const { server, data } = pageSchema.parse((await bus.request(APP.connections, asked)).json());
        ({ total } = data);
        const own = data.connections.filter((c) => c.authorized_user?.split(' ')[1] === node);
        const names = new Set(
          [...this.open].map(([replica, { token }]) => connectionName({ replica, node, token })),
        );
        for (const { cid, authorized_user: name = '' } of own)
          if (!names.has(name)) await this.end(bus, server.id, cid);
      }
    } catch (error) {
      this.agent.log.warn('connections of replicas that have ended were not looked for', {
        reason: reason(error),
      });
    }
  }

  private async end(bus: Bus, server: string, cid: number): Promise<void> {
    await bus.request(APP.kick(server), { cid }).catch((error: unknown) => {
      this.agent.log.debug('a connection was not ended', { cid, reason: reason(error) });
    });
  }
}
