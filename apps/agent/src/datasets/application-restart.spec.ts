import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SiteData, Unreachable } from '@skerry/client';
import { HubStandIn } from '../hub-stand-in.suite.js';
import { makeLog } from '../log.js';
import { folders } from '../site-file.js';
import { assignment, end, eventually, SiteUnderTest } from '../site-under-test.suite.js';
import { Copies } from './copies.js';
import { copyRule } from './endpoint-under-test.suite.js';

describe('an application whose agent is killed', () => {
  let site: SiteUnderTest;
  let hub: HubStandIn;
  beforeEach(async () => {
    site = await SiteUnderTest.make();
    // As the hub had given them before.
    const at = { site: 's1', node: 'n1', log: makeLog('error') };
    const copies = await Copies.open(folders(site.dir).datasets, at);
    await copies.want(copyRule('cart'));
    await copies.want(copyRule('hits', { conflicts: 'counter' }));
    await copies.close();
    await site.startServer();
    hub = await HubStandIn.at(site);
  });
  afterEach(async () => {
    await hub.bus.close();
    await site.close();
  });

  it('goes on with the next one: what it reads, writes and counts waits for that, and its watch begins anew', async () => {
    const agent = await site.startAgent();
    const command = ['/bin/sh', '-c', 'echo "$SKERRY_AGENT_URL $SKERRY_AGENT_TOKEN" >told; exec sleep 1000'];
    hub.want(assignment('web', { run: { command } }));
    await hub.running('web');
    const environment = await environmentOf('shop.web.s1.0');
    const app = SiteData.fromEnvironment(environment);
    await app.keyvalue('cart').put('k', 'before');
    await app.keyvalue('hits').count('k');
    const stop = new AbortController();
    const told: string[] = [];
    const watch = (async () => {
      for await (const change of app.keyvalue('cart').watch({ signal: stop.signal }))
        told.push(change.kind === 'entry' ? (change.entry.value ?? '') : change.kind);
    })();
    await eventually('all is told', () => told.at(-1) === 'caughtUp');
    await end(agent, 'SIGKILL');
    const hasty = SiteData.fromEnvironment(environment, { tries: 1 }).keyvalue('cart');
    // Until its connections are known to be closed, a count may be thought to have been heard.
    await eventually('nobody listens', async () => {
      const error: unknown = await hasty.get('k').catch((thrown: unknown) => thrown);
      return error instanceof Unreachable && error.unheard;
    });
    const meanwhile = [
      app.keyvalue('cart').put('k', 'after'),
      app.keyvalue('hits').count('k'),
      app.keyvalue('cart').get('k'),
    ];
    await site.startAgent();
    await Promise.all(meanwhile);
    expect(await app.keyvalue('cart').get('k')).toMatchObject({ value: 'after' });
    expect(await app.keyvalue('hits').get('k')).toMatchObject({ number: 2 });
    await eventually('the watch is back', () => told.filter((word) => word === 'anew').length === 2);
    await eventually('it is in step', () => told.lastIndexOf('after') > told.lastIndexOf('anew'));
    stop.abort();
    await watch;
  }, 60_000);

  /** What a replica was told, as it has written it down. */
  async function environmentOf(replica: string): Promise<Record<string, string | undefined>> {
    const [SKERRY_AGENT_URL, SKERRY_AGENT_TOKEN] = await eventually('it was told', async () => {
      const text = await readFile(join(site.dir, 'work', replica, 'cwd', 'told'), 'utf8').catch(() => '');
      return text.includes(' ') && text.trim().split(' ');
    });
    return { SKERRY_AGENT_URL, SKERRY_AGENT_TOKEN };
  }
});
