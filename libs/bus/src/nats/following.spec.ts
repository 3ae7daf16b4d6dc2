import { afterEach, expect, test } from '@jest/globals';
import { TimedOut } from '../errors.js';
import { streamNamed, until } from '../suite/meeting.suite.js';
import { NatsFollowing } from './following.js';
import { JsApi, type ConsumerInfo, type StreamInfo } from './js-api.js';
import { Link } from './link.js';
import { connectBus } from './nats-bus.js';
import { RealServer } from './real-server.suite.js';

/** Of a server that gives back a stream as it was once, under its old name and age, and at first makes no consumer on it. */
class Recovering extends JsApi {
  makesNone = false;
  notMade = 0;

  override async stream(...given: Parameters<JsApi['stream']>): Promise<StreamInfo | undefined> {
    const info = await super.stream(...given);
    return info && { ...info, created: 'once' };
  }

  override async putConsumer(...given: Parameters<JsApi['putConsumer']>): Promise<ConsumerInfo> {
    if (!this.makesNone) return await super.putConsumer(...given);
    this.notMade += 1;
    throw new TimedOut('a consumer was not made');
  }
}

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

test('a follower of a stream that lost its newest says when it has seen all of it, though its consumer was not made at once', async () => {
  const server = await RealServer.start();
  closing.push(() => server.stop());
  const at = { servers: [server.url], name: 'test', onAlarm: () => undefined };
  const [bus, link] = [await connectBus(at), await Link.open(at)];
  closing.push(
    () => bus.close(),
    () => link.close(),
  );
  const api = new Recovering(link);
  await bus.ensureStream(streamNamed('BACK'));
  for (const n of [1, 2, 3]) await bus.publish(`back.${n}`, { n });
  const log: string[] = [];
  const following = await NatsFollowing.start(link, api, 'BACK', (m) => void log.push(m.subject), {
    onRestart: () => void log.push('restart'),
    onRestarted: () => void log.push('restarted'),
  });
  closing.push(() => following.drain());
  await following.caughtUp;
  api.makesNone = true;
  await api.call('STREAM.DELETE.BACK');
  await bus.ensureStream(streamNamed('BACK'));
  await bus.publish('back.1', { n: 1 });
  await until('it tried in vain', () => api.notMade > 0);
  api.makesNone = false;
  await until('it says so', () => log.includes('restarted'));
  expect(log).toEqual(['back.1', 'back.2', 'back.3', 'restart', 'back.1', 'restarted']);
});
