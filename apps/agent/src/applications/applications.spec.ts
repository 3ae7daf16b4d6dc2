import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { connect, nkeyAuthenticator, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { readSeed } from '@skerry/identity';
import { Copies } from '../datasets/copies.js';
import { copyRule } from '../datasets/endpoint-under-test.suite.js';
import { EntryLogs } from '../datasets/logs/entry-logs.js';
import { LIMITS, logRuleSchema } from '@skerry/contracts';
import { HubStandIn } from '../hub-stand-in.suite.js';
import { makeLog } from '../log.js';
import { folders } from '../site-file.js';
import { assignment, end, eventually, SiteUnderTest } from '../site-under-test.suite.js';

/** What a replica was told. */
interface Told {
  url: string;
  token: string;
  nats: string;
}
const WEB = 'shop.web.s1.0';
const TELLS = 'echo "$SKERRY_AGENT_URL $SKERRY_AGENT_TOKEN $SKERRY_NATS_URL" >told; exec sleep 1000';

describe('an application that asks by subjects', () => {
  let site: SiteUnderTest;
  let hub: HubStandIn;
  let agent: Awaited<ReturnType<SiteUnderTest['startAgent']>>;
  let web: Told;
  const opened: NatsConnection[] = [];

  beforeAll(async () => {
    site = await SiteUnderTest.make();
    // As the hub had given them before.
    const at = { site: 's1', node: 'n1', log: makeLog('error') };
    const copies = await Copies.open(folders(site.dir).datasets, at);
    for (const name of ['cart', 'catalog', 'secret'])
      await copies.want({ ...copyRule(name), project: name === 'secret' ? 'bank' : 'shop' });
    await copies.want(copyRule('prices', { conflicts: 'single-writer', home: 's2' }));
    await copies.want(copyRule('hits', { conflicts: 'counter' }));
    await copies.close();
    const logs = await EntryLogs.open(folders(site.dir).entryLogs, at);
    const rule = { project: 'shop', name: 'orders', incarnation: 1, generation: 1, flow: 'mesh' };
    await logs.want(logRuleSchema.parse({ ...rule, bytes: 2 ** 24, valueBytes: 1_024 }));
    await logs.close();
    await site.startServer();
    hub = await HubStandIn.at(site);
    agent = await site.startAgent();
    const run = { command: ['/bin/sh', '-c', TELLS] };
    hub.want(assignment('web', { run }), assignment('other', { run }));
    await hub.running('web');
    await hub.running('other');
    const single = { type: 'singleton', orphan: 'stop', epoch: 3 };
    hub.want(assignment('lead', { ...single, run }));
    const data = [{ dataset: 'catalog', access: 'read' }];
    hub.want(assignment('web', { run, data, version: { generation: 2 } }));
    await hub.seen('web', ({ version }) => version.generation === 2);
    web = await toldTo(WEB);
  }, 60_000);
  afterEach(async () => {
    for (const connection of opened.splice(0)) await connection.close();
  });
  afterAll(async () => {
    await hub.bus.close();
    await site.close();
  });

  it('reads, writes, lists, counts and deletes keys of its project, and what it writes is what is there over HTTP', async () => {
    const ask = asker(await enter());
    expect(await ask('cart.put', { key: 'a b', value: 'apples' })).toMatchObject({
      entry: { key: 'a b', value: 'apples' },
    });
    expect(await ask('cart.get', { key: 'a b' })).toMatchObject({ entry: { value: 'apples' } });
    expect(await overHttp('data/cart/a%20b')).toMatchObject({ entry: { value: 'apples' } });
    expect(await ask('cart.list', { prefix: 'a' })).toMatchObject({ entries: [{ key: 'a b' }] });
    expect(await ask('hits.count', { key: 'home', by: 3 })).toMatchObject({ entry: { number: 3 } });
    await ask('cart.delete', { key: 'a b' });
    expect(await ask('cart.list')).toEqual({ entries: [] });
    expect(await ask('cart.state')).toMatchObject({ state: { site: 's1', node: 'n1' } });
  });

  it('hears who writes a dataset, by both ways', async () => {
    const ask = asker(await enter());
    expect(await ask('cart.home')).toEqual({ home: { writes: true } });
    const refused = await ask('prices.put', { key: 'k', value: 'v' });
    const told = { home: { writes: false, site: 's2', why: refused['title'] } };
    expect(await ask('prices.home')).toEqual(told);
    expect(await overHttp('data/prices?home=1')).toEqual(told);
  });

  it('that is a singleton hears its epoch and for how long it may act, as over HTTP', async () => {
    const lead = 'shop.lead.s1.0';
    const connection = await enter(lead);
    const { epoch, leaseMs } = await asker(connection, lead)('ownership');
    expect(epoch).toBe(3_000_000);
    expect(leaseMs).toBeGreaterThan(0);
  });

  it('has a limit on its watches, and hears why one ends', async () => {
    const connection = await enter();
    const missing = watching(connection, 'nothing.watch', {});
    await eventually('it is refused', () => missing.ended() !== undefined);
    expect(missing.ended()).toBe('404');
    const many = Array.from({ length: LIMITS.appWatches }, () => watching(connection, 'cart.watch', {}));
    await eventually('all begin', () => many.every(({ told }) => told.length > 0));
    const more = watching(connection, 'cart.watch', {});
    await eventually('it is refused', () => more.ended() !== undefined);
    expect(more.ended()).toBe('429');
    for (const watch of many) await watch.end();
  });

  it('appends to a log of its project and reads it', async () => {
    const ask = asker(await enter());
    expect(await ask('orders.append', { values: ['1', 'two\nlines'] })).toEqual({ appended: 2, kept: 2 });
    const page = await ask('orders.read', { limit: 10 });
    expect(page).toMatchObject({ items: [{ value: '1' }, { value: 'two\nlines' }] });
    expect(await ask('orders.read', { since: page['since'] })).toMatchObject({ items: [], more: false });
  });

  it('is refused with the code, the words and the hint that it hears over HTTP', async () => {
    const connection = await enter();
    const cases = [
      ['secret.get', { key: 'k' }, 'data/secret/k'],
      ['cart.get', { key: 'none' }, 'data/cart/none'],
      ['nothing.read', {}, 'logs/nothing'],
    ] as const;
    for (const [subject, body, path] of cases) {
      const answer = await raw(connection, subject, body);
      expect(answer.json()).toEqual(await overHttp(path));
      expect(answer.headers?.get('Nats-Service-Error-Code')).toBe('404');
      expect(answer.headers?.get('Nats-Service-Error')).toBe(answer.json<{ title: string }>().title);
    }
    const ask = asker(connection);
    const write = await ask('catalog.put', { key: 'k', value: 'v' });
    expect(write).toMatchObject({ code: 'forbidden', status: 403 });
    expect(await ask('ownership')).toMatchObject({ title: 'no singleton here has this token' });
    expect(await ask('cart.put', { key: 'k', value: 'v', project: 'bank' })).toMatchObject({
      entry: { key: 'k' },
    });
    expect(await ask('cart.put', { key: 'k' })).toMatchObject({ code: 'invalid' });
    expect(await ask('cart.fly')).toMatchObject({ code: 'not-found' });
    expect(await ask('cart')).toMatchObject({ code: 'not-found' });
  });

  it('watches keys, and resumes by its cursor without missing one', async () => {
    const connection = await enter();
    const ask = asker(connection);
    const first = watching(connection, 'cart.watch', { prefix: 'w' });
    await eventually('it is told where it begins', () => first.told.length === 1);
    await ask('cart.put', { key: 'w1', value: '1' });
    await ask('cart.put', { key: 'x1', value: '1' });
    await eventually('it is told', () => first.keys().includes('w1'));
    await first.end();
    await ask('cart.put', { key: 'w2', value: '1' });
    await ask('cart.delete', { key: 'w1' });
    const again = watching(connection, 'cart.watch', { prefix: 'w', since: first.since() });
    await eventually('both are told', () => again.keys().length === 2);
    expect(again.keys().toSorted()).toEqual(['w1', 'w2']);
    expect(first.keys()).toEqual(['w1']);
    expect(await ask('cart.changes', { since: first.since(), waitMs: 0 })).toMatchObject({
      changes: [{ key: 'w2' }, { key: 'w1' }],
    });
  });

  it('that does not answer is told nothing more, and what changes meanwhile comes in one', async () => {
    const connection = await enter();
    const ask = asker(connection);
    const slow = watching(connection, 'cart.watch', {}, { answers: 1 });
    await eventually('it is told where it begins', () => slow.told.length === 1);
    await ask('cart.put', { key: 's1', value: '1' });
    await eventually('one is told', () => slow.told.length === 2);
    for (const key of ['s2', 's3', 's4']) await ask('cart.put', { key, value: '1' });
    expect(slow.told).toHaveLength(2);
    slow.answer();
    await eventually('the rest is told', () => slow.told.length === 3);
    expect(slow.keys()).toEqual(['s1', 's2', 's3', 's4']);
  });

  it('follows a log over a watch that ends, and no entry comes twice', async () => {
    const connection = await enter();
    const ask = asker(connection);
    const values = (all: { items?: { value: string }[] }[]) =>
      all.flatMap(({ items = [] }) => items.map(({ value }) => value));
    const { since: begin } = await ask('orders.read', { limit: 1 });
    const first = watching(connection, 'orders.follow', { since: begin });
    await ask('orders.append', { values: ['a'] });
    await eventually('it is told', () => values(first.told).includes('a'));
    await first.end();
    await ask('orders.append', { values: ['b', 'c'] });
    const again = watching(connection, 'orders.follow', { since: first.since() });
    await eventually('it is told', () => values(again.told).includes('c'));
    expect([values(first.told), values(again.told)]).toEqual([['a'], ['b', 'c']]);
  });

  it('may say nothing for others, hear nothing of others, and ask no JetStream', async () => {
    const connection = await enter();
    const others = ['shop.other.s1.0', 'bank.web.s1.0'].map((replica) => `app.${replica}.cart.get`);
    const api = ['$JS.API.INFO', '$JS.API.STREAM.CREATE.X', '$SYS.REQ.USER.AUTH', '$SYS.REQ.SERVER.PING'];
    for (const subject of [
      ...others,
      ...api,
      'out.x',
      'up.x',
      'rpc.ping',
      'local.op.request',
      '_INBOX_agent.x',
    ])
      await expect(connection.request(subject, '{}', { timeout: 5_000 })).rejects.toThrow(
        /permissions violation/i,
      );
    for (const subject of [
      '>',
      'app.>',
      `app.${WEB}.>`,
      '_INBOX.>',
      '_INBOX_agent.>',
      '_INBOX.shop.other.s1.0.>',
    ])
      expect(await refusedToHear(connection, subject)).toMatch(/permissions violation/i);
  });

  it('cannot have its agent say for it what it may not say itself', async () => {
    const [mine, theirs] = [await enter(), await enter('shop.other.s1.0')];
    const heard: string[] = [];
    theirs.subscribe('_INBOX.shop.other.s1.0.>', { callback: (_error, m) => void heard.push(m.subject) });
    const local = await asAgent('local.seed');
    local.subscribe('>', { callback: (_error, m) => void heard.push(m.subject) });
    await theirs.flush();
    await local.flush();
    for (const reply of ['_INBOX.shop.other.s1.0.x', 'app.shop.other.s1.0.cart.list', '$JS.API.INFO'])
      mine.publish(`app.${WEB}.cart.list`, '{}', { reply });
    await asker(mine)('cart.list');
    await local.flush();
    await theirs.flush();
    const answers = heard.filter(
      (subject) => !subject.startsWith(`app.${WEB}.`) && !subject.startsWith(`_INBOX.${WEB}.`),
    );
    expect(answers).toEqual([]);
  });

  it('is heard by nobody in the account of the site, which is bound to the hub', async () => {
    const heard: string[] = [];
    const bound = await asAgent('agent.seed');
    const asked = bound.request(`app.${WEB}.cart.list`, '{}', { timeout: 1_000 });
    await expect(asked).rejects.toThrow(/no responders/i);
    bound.subscribe('>', { callback: (_error, m) => void heard.push(m.subject) });
    await bound.flush();
    await asker(await enter())('cart.put', { key: 'k', value: 'v' });
    await bound.flush();
    expect(heard.filter((subject) => /^(_INBOX\.)?(app\.)?shop\./.test(subject))).toEqual([]);
  });

  it('is not let in with another token, as another replica, or without any', async () => {
    const other = await toldTo('shop.other.s1.0');
    for (const [user, pass] of [
      [WEB, 'wrong'],
      [WEB, other.token],
      ['shop.web.s1.7', web.token],
      [WEB, ''],
      ['', ''],
    ])
      await expect(enter(user, pass)).rejects.toThrow(/authorization/i);
  });

  it('hears that its agent ends, and watches on at the next one: keys anew, a log from where it was', async () => {
    const connection = await enter();
    const ask = asker(connection);
    const { since: begin } = await ask('orders.read', { limit: 1 });
    const watches = [
      watching(connection, 'cart.watch', {}),
      watching(connection, 'orders.follow', { since: begin }),
    ];
    await eventually('both begin', () => watches.every(({ told }) => told.length > 0));
    await ask('orders.append', { values: ['z'] });
    await end(agent, 'SIGTERM');
    await eventually('both are told', () => watches.every(({ ended }) => ended() === '503'));
    agent = await site.startAgent();
    await eventually('the next one answers', async () => await ask('cart.home').catch(() => undefined));
    const [keys, log] = watches;
    const again = watching(connection, 'cart.watch', { since: keys?.since() });
    const further = watching(connection, 'orders.follow', { since: begin });
    await eventually('both go on', () => again.told.length > 0 && further.told.length > 0);
    expect(again.told[0]).toMatchObject({ changes: [], lost: true });
    expect(further.told[0]).toMatchObject({ items: [{ value: 'z' }] });
    expect(log?.told.length).toBeGreaterThan(0);
  }, 30_000);

  it('goes on over an agent that is killed: its connection stays, and the next agent answers it and its HTTP', async () => {
    const connection = await enter();
    const ask = asker(connection);
    await ask('cart.put', { key: 'k', value: 'before' });
    await end(agent, 'SIGKILL');
    await eventually('nobody answers', async () => {
      const error: unknown = await raw(connection, 'cart.get', { key: 'k' }).catch(
        (thrown: unknown) => thrown,
      );
      return error instanceof Error && /no responders/i.test(error.message);
    });
    agent = await site.startAgent();
    const answer = await eventually('the next one answers', async () => {
      return await ask('cart.get', { key: 'k' }).catch(() => undefined);
    });
    expect(answer).toMatchObject({ entry: { value: 'before' } });
    expect(connection.stats().inMsgs).toBeGreaterThan(0);
    expect(await overHttp('data/cart/k')).toMatchObject({ entry: { value: 'before' } });
  }, 30_000);

  it('has a limit on its connections: of more, the oldest is ended', async () => {
    const first = await enter('shop.other.s1.0');
    const more = await Promise.all(
      Array.from({ length: LIMITS.appConnections }, async () => await enter('shop.other.s1.0')),
    );
    await first.closed();
    expect(more.filter((connection) => connection.isClosed())).toEqual([]);
    await Promise.all(more.map(async (connection) => await connection.close()));
  }, 30_000);

  it('that has ended is let in no more, and its connections end, also those that an agent of before let in', async () => {
    const old = await enter('shop.other.s1.0');
    await end(agent, 'SIGKILL');
    agent = await site.startAgent();
    const connection = await eventually(
      'the next agent lets in',
      async () => await enter('shop.other.s1.0').catch(() => undefined),
    );
    const { token } = await toldTo('shop.other.s1.0');
    hub.want(assignment('other', { version: { generation: 2 }, replicas: 0 }));
    await Promise.all([old.closed(), connection.closed()]);
    await expect(enter('shop.other.s1.0', token)).rejects.toThrow(/authorization/i);
  }, 30_000);

  /** What a replica was told, as it has written it down. */
  async function toldTo(replica: string): Promise<Told> {
    const [url = '', token = '', nats = ''] = await eventually('it was told', async () => {
      const text = await readFile(join(site.dir, 'work', replica, 'cwd', 'told'), 'utf8').catch(() => '');
      return text.endsWith('\n') && text.trim().split(' ');
    });
    return { url, token, nats };
  }

  async function enter(replica = WEB, token?: string): Promise<NatsConnection> {
    const told = replica === WEB || token !== undefined ? web : await toldTo(replica);
    const connection = await connect({
      servers: told.nats,
      user: replica,
      pass: token ?? told.token,
      inboxPrefix: `_INBOX.${replica}`,
      reconnect: false,
      timeout: 5_000,
    });
    opened.push(connection);
    return connection;
  }

  async function asAgent(seed: string): Promise<NatsConnection> {
    const key = (await readSeed(join(site.dir, seed))).seed();
    const connection = await connect({
      servers: web.nats,
      authenticator: nkeyAuthenticator(new TextEncoder().encode(key)),
      inboxPrefix: '_INBOX_test',
    });
    opened.push(connection);
    return connection;
  }

  async function raw(connection: NatsConnection, subject: string, body: object, replica = WEB): Promise<Msg> {
    return await connection.request(`app.${replica}.${subject}`, JSON.stringify(body), { timeout: 5_000 });
  }

  function asker(connection: NatsConnection, replica = WEB) {
    return async (subject: string, body: object = {}): Promise<Record<string, unknown>> =>
      (await raw(connection, subject, body, replica)).json();
  }

  async function overHttp(path: string): Promise<unknown> {
    const headers = { authorization: `Bearer ${web.token}` };
    return await (await fetch(`${web.url}/v1/${path}`, { headers })).json();
  }

  /** Answers each message, or only the first so many and then when told to. */
  function watching(
    connection: NatsConnection,
    subject: string,
    body: object,
    { answers = Infinity }: { answers?: number } = {},
  ) {
    const inbox = `_INBOX.${WEB}.${opened.length}.${Math.random().toString(36).slice(2)}`;
    const told: { since: string; changes?: { key: string }[]; items?: { value: string }[] }[] = [];
    const unanswered: Msg[] = [];
    let left = answers;
    let end: string | undefined;
    const subscription = connection.subscribe(inbox, {
      callback: (_error, m) => {
        end = m.headers?.get('Nats-Service-Error-Code');
        if (end !== undefined) return;
        told.push(m.json());
        if ((left -= 1) >= 0) m.respond();
        else unanswered.push(m);
      },
    });
    connection.publish(`app.${WEB}.${subject}`, JSON.stringify(body), { reply: inbox });
    return {
      told,
      keys: () => told.flatMap(({ changes = [] }) => changes.map(({ key }) => key)),
      since: () => told.at(-1)?.since,
      ended: () => end,
      answer: () => {
        left = Infinity;
        for (const m of unanswered.splice(0)) m.respond();
      },
      end: async () => {
        subscription.unsubscribe();
        await connection.flush();
      },
    };
  }

  async function refusedToHear(connection: NatsConnection, subject: string): Promise<string> {
    return await new Promise((resolve) => {
      connection.subscribe(subject, { callback: (error) => resolve(error?.message ?? 'it hears') });
    });
  }
});
