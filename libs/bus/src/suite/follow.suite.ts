import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Bus } from '../bus.js';
import { TimedOut } from '../errors.js';
import { failure, gate, streamNamed, until, type Meeting, type OpenMeeting } from './meeting.suite.js';

/** What every bus promises of following a stream. */
export function followSuite(open: OpenMeeting): void {
  describe('following', () => {
    let meeting: Meeting;
    let bus: Bus;
    beforeAll(async () => {
      meeting = await open();
      bus = await meeting.open('follower');
      await bus.ensureStream(streamNamed('TALE'));
    });
    afterAll(async () => {
      await meeting.close();
    });
    const tell = async (subject: string, n: number) => (await bus.publish(subject, { n })).sequence;

    test('sees the newest of each subject, then all that comes, in order', async () => {
      for (const n of [1, 2]) await tell('tale.last.a', n);
      await tell('tale.last.b', 3);
      const seen: unknown[] = [];
      const following = await bus.follow('TALE', (m) => void seen.push(m.json()), {
        filters: ['tale.last.*'],
      });
      await following.caughtUp;
      expect(seen).toEqual([{ n: 2 }, { n: 3 }]);
      for (const n of [4, 5]) await tell('tale.last.a', n);
      await following.reached(await tell('tale.last.b', 6));
      expect(seen).toEqual([2, 3, 4, 5, 6].map((n) => ({ n })));
      await following.drain();
      await tell('tale.last.a', 7);
      expect(seen).toHaveLength(5);
    });

    test('begins at a sequence, or with what comes next', async () => {
      const first = await tell('tale.from.a', 1);
      await tell('tale.from.a', 2);
      const filters = ['tale.from.>'];
      const [old, fresh]: unknown[][] = [[], []];
      const one = await bus.follow('TALE', (m) => void old?.push(m.json()), { from: first, filters });
      const two = await bus.follow('TALE', (m) => void fresh?.push(m.json()), { from: 'new', filters });
      const last = await tell('tale.from.a', 3);
      await Promise.all([one.reached(last), two.reached(last)]);
      expect(old).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
      expect(fresh).toEqual([{ n: 3 }]);
      await Promise.all([one.drain(), two.drain()]);
    });

    test('tells who waits until it has caught up that it is not followed any more', async () => {
      await tell('tale.over', 1);
      let goOn: () => void = () => undefined;
      const held = new Promise<void>((resolve) => (goOn = resolve));
      const following = await bus.follow('TALE', () => held, { filters: ['tale.over'] });
      const waiting = following.caughtUp.then(
        () => 'caught up',
        (error: Error) => error.name,
      );
      const drained = following.drain();
      expect(await waiting).toBe('Unavailable');
      goOn();
      await drained;
    });

    test('has caught up at once where there is nothing', async () => {
      let times = 0;
      const following = await bus.follow('TALE', () => undefined, {
        filters: ['tale.nothing'],
        onCaughtUp: () => times++,
      });
      await following.caughtUp;
      await following.reached(await tell('tale.nothing', 1));
      expect(times).toBe(1);
      await following.drain();
    });

    test('handles one message at a time and has caught up when all are handled', async () => {
      for (let n = 0; n < 20; n++) await tell(`tale.async.${n}`, n);
      let running = 0;
      let most = 0;
      let handled = 0;
      const following = await bus.follow(
        'TALE',
        async () => {
          most = Math.max(most, ++running);
          await new Promise((resolve) => setTimeout(resolve, 1));
          running--;
          handled++;
        },
        { filters: ['tale.async.*'] },
      );
      await following.caughtUp;
      expect([most, handled]).toEqual([1, 20]);
      await following.drain();
    });

    test('waits for a sequence, and gives up in time', async () => {
      const { opened, open: go } = gate();
      const following = await bus.follow('TALE', () => opened, { from: 'new', filters: ['tale.wait'] });
      const sequence = await tell('tale.wait', 1);
      expect(await failure(following.reached(sequence, 100))).toBeInstanceOf(TimedOut);
      go();
      await following.reached(sequence);
      expect(following.position).toBe(sequence);
      await following.drain();
    });

    test('does not wait for what will never come', async () => {
      const following = await bus.follow('TALE', () => undefined, { filters: ['tale.mine'] });
      const mine = await tell('tale.mine', 1);
      const other = await tell('tale.other', 2);
      await following.reached(other);
      expect(following.position).toBe(mine);
      await following.drain();
    });

    test('tries a handler that throws again, then passes over its message with alarms', async () => {
      const seen: unknown[] = [];
      let failures = 0;
      const following = await bus.follow(
        'TALE',
        (m) => {
          const value = m.json();
          const fails =
            JSON.stringify(value) === '{"n":2}' || (JSON.stringify(value) === '{"n":1}' && failures === 0);
          if (fails) {
            failures++;
            throw new Error('a bug');
          }
          seen.push(value);
        },
        { filters: ['tale.bug'], from: 'new' },
      );
      await tell('tale.bug', 1);
      const bad = await tell('tale.bug', 2);
      await following.reached(await tell('tale.bug', 3));
      expect(seen).toEqual([{ n: 1 }, { n: 3 }]);
      expect(failures).toBe(4);
      expect(meeting.alarms.map((a) => a.what)).toContain(`handle TALE ${bad}, passed over`);
      await following.drain();
    });

    test('goes on after its connection was away without gap or repetition', async () => {
      const away = await meeting.open('away');
      const seen: number[] = [];
      const following = await away.follow('TALE', (m) => void seen.push(m.sequence), {
        filters: ['tale.away.*'],
        from: 'new',
      });
      const sent: number[] = [];
      for (let n = 0; n < 50; n++) {
        if (n === 20) await meeting.cut(away);
        if (n === 30) await meeting.heal(away);
        sent.push(await tell(`tale.away.${n % 5}`, n));
      }
      await following.reached(sent.at(-1) ?? 0, 10_000);
      expect(seen).toEqual(sent);
    });

    test('begins again, and says so, when its stream was made anew', async () => {
      await bus.ensureStream(streamNamed('WIPED'));
      for (const n of [1, 2, 3]) await bus.publish(`wiped.${n}`, { n });
      const log: string[] = [];
      const following = await bus.follow('WIPED', (m) => void log.push(m.subject), {
        onRestart: () => void log.push('restart'),
      });
      await following.caughtUp;
      await meeting.wipe('WIPED');
      await bus.ensureStream(streamNamed('WIPED'));
      await bus.publish('wiped.new', { n: 4 });
      await until('the new one is seen', () => log.includes('wiped.new'));
      expect(log).toEqual(['wiped.1', 'wiped.2', 'wiped.3', 'restart', 'wiped.new']);
      expect(following.position).toBe(1);
      await following.drain();
    });

    test('follows many messages that come at once', async () => {
      const seen: number[] = [];
      const following = await bus.follow('TALE', (m) => void seen.push(m.sequence), {
        from: 'new',
        filters: ['tale.burst.*'],
      });
      const sent = await Promise.all(Array.from({ length: 2_000 }, (_, n) => tell(`tale.burst.${n % 7}`, n)));
      await following.reached(Math.max(...sent));
      expect(seen).toEqual(sent.toSorted((a, b) => a - b));
      await following.drain();
    });
  });
}
