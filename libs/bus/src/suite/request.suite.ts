import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Refusal } from '@skerry/contracts';
import type { Bus } from '../bus.js';
import { TimedOut, Unavailable } from '../errors.js';
import { failure, gate, streamNamed, until, type Meeting, type OpenMeeting } from './meeting.suite.js';

/** What every bus promises of messages that are not stored. */
export function requestSuite(open: OpenMeeting): void {
  describe('requests and plain messages', () => {
    let meeting: Meeting;
    let asker: Bus;
    let answerer: Bus;
    const late = gate();
    beforeAll(async () => {
      meeting = await open();
      asker = await meeting.open('asker');
      answerer = await meeting.open('answerer');
      answerer.respond('rpc.double', (m) => ({ subject: m.subject, twice: [m.json(), m.json()] }));
      answerer.respond('rpc.wild.*.x', async (m) => ({ heard: m.subject, tag: m.headers['X-Tag'] ?? '' }));
      answerer.respond('rpc.refuse', () => {
        throw new Refusal('not-found', 'no such thing', {
          hint: 'look elsewhere',
          issues: [{ path: 'a', problem: 'b' }],
        });
      });
      answerer.respond('rpc.broken', () => {
        throw new Error('the password is swordfish');
      });
      answerer.respond('rpc.silent', async () => {
        await late.opened;
        return {};
      });
      await heard(asker, 'rpc.double');
    });
    afterAll(async () => {
      late.open();
      await meeting.close();
    });

    test('says again on another subject what a stream is told to', async () => {
      const saysAgain = { from: 'again.*.*.*', to: 'said.$3.by.$1' };
      const definition = { saysAgain, maxMessageBytes: 1_024, discard: 'old' as const };
      await asker.ensureStream(streamNamed('AGAIN', { ...definition, subjects: ['again.*.old.*'] }));
      await asker.ensureStream(streamNamed('AGAIN', { ...definition, subjects: ['again.*.new.*'] }));
      const heard: string[] = [];
      const listening = answerer.listen(
        'said.>',
        (m) => void heard.push(`${m.subject} ${JSON.stringify(m.json())}`),
      );
      await until('it is said again', () => {
        asker.say('again.a.old.b', { n: 0 });
        asker.say('again.a.new.b', { n: 1 });
        return heard.length > 0;
      });
      expect(heard[0]).toBe('said.b.by.a {"n":1}');
      await listening.drain();
    });

    test('brings the answer', async () => {
      const answer = await asker.request('rpc.double', { n: 1 });
      expect(answer.json()).toEqual({ subject: 'rpc.double', twice: [{ n: 1 }, { n: 1 }] });
    });

    test('brings the subject and the headers to who answers', async () => {
      const answer = await asker.request('rpc.wild.one.x', {}, { headers: { 'X-Tag': 'blue' } });
      expect(answer.json()).toEqual({ heard: 'rpc.wild.one.x', tag: 'blue' });
    });

    test('brings the headers of an answer too, and says to who hears where it goes', async () => {
      const told: (string | undefined)[] = [];
      const hears = answerer.listen('rpc.headed', (m) => {
        told.push(m.replyTo);
        m.reply?.({ ok: true }, { headers: { 'X-Tag': 'blue' } });
      });
      await until('it hears', () => {
        asker.say('rpc.headed', {});
        return told.length > 0;
      });
      expect(told[0]).toBeUndefined();
      const answer = await asker.request('rpc.headed', {});
      expect(answer.headers).toMatchObject({ 'X-Tag': 'blue' });
      expect(told.at(-1)).toMatch(/^_INBOX/);
      await hears.drain();
    });

    test('throws what was refused as it was refused', async () => {
      const error = await failure(asker.request('rpc.refuse', {}));
      expect(error).toBeInstanceOf(Refusal);
      expect(error).toMatchObject({
        code: 'not-found',
        message: 'no such thing',
        details: { hint: 'look elsewhere', issues: [{ path: 'a', problem: 'b' }] },
      });
    });

    test('tells who asked nothing of what broke, and alarms', async () => {
      const error = await failure(asker.request('rpc.broken', {}));
      expect(error).toMatchObject({ code: 'internal' });
      expect(error.message).not.toContain('swordfish');
      expect(meeting.alarms).toContainEqual(expect.objectContaining({ what: 'answer rpc.broken' }));
    });

    test('says at once that nobody answers', async () => {
      expect(await failure(asker.request('rpc.nobody', {}))).toBeInstanceOf(Unavailable);
    });

    test('gives up when the time is over', async () => {
      expect(await failure(asker.request('rpc.silent', {}, { timeoutMs: 200 }))).toBeInstanceOf(TimedOut);
    });

    test('asks one member of a queue', async () => {
      const counts = [0, 0];
      const members = counts.map((_, i) =>
        answerer.respond(
          'rpc.shared',
          () => {
            counts[i] = (counts[i] ?? 0) + 1;
            return { by: i };
          },
          { queue: 'team' },
        ),
      );
      await heard(asker, 'rpc.shared');
      counts.fill(0);
      for (let n = 0; n < 40; n++) await asker.request('rpc.shared', {});
      expect((counts[0] ?? 0) + (counts[1] ?? 0)).toBe(40);
      expect(Math.min(...counts)).toBeGreaterThan(0);
      await Promise.all(members.map((m) => m.drain()));
      expect(await failure(asker.request('rpc.shared', {}))).toBeInstanceOf(Unavailable);
    });

    test('lets a running answer finish when it ends', async () => {
      const { opened, open: go } = gate();
      const began = gate();
      const subscription = answerer.respond('rpc.slow', async () => {
        began.open();
        await opened;
        return { ok: true };
      });
      await heardBy(
        asker,
        () => asker.request('rpc.slow', {}),
        began.opened,
        async (answer) => {
          const ended = subscription.drain();
          go();
          expect((await answer).json()).toEqual({ ok: true });
          await ended;
        },
      );
    });

    test('brings plain messages to all who hear, with a way to answer where asked for', async () => {
      const got: string[] = [];
      const one = answerer.listen('say.>', (m) => {
        got.push(`one ${m.subject} ${m.reply === undefined ? 'told' : 'asked'}`);
        m.reply?.({ from: 'one' });
      });
      const two = asker.listen('say.a', (m) => {
        got.push(`two ${m.subject}`);
      });
      await until('both hear', () => {
        asker.say('say.a', {});
        return got.includes('one say.a told') && got.includes('two say.a');
      });
      expect((await asker.request('say.b', {})).json()).toEqual({ from: 'one' });
      await one.drain();
      await two.drain();
    });

    test('outlives a hearer that throws', async () => {
      let count = 0;
      const subscription = answerer.listen('throwing.a', () => {
        count++;
        throw new Error('broken');
      });
      await until('heard three times', () => {
        asker.say('throwing.a', {});
        return count >= 3;
      });
      expect(meeting.alarms).toContainEqual(expect.objectContaining({ what: 'hear throwing.a' }));
      await subscription.drain();
    });

    test('tells when the connection goes and comes', async () => {
      const bus = await meeting.open('telling');
      const seen: boolean[] = [];
      const stop = bus.onConnection((connected) => seen.push(connected));
      await meeting.cut(bus);
      await until('cut', () => !bus.connected);
      await meeting.heal(bus);
      await until('healed', () => bus.connected);
      stop();
      await meeting.cut(bus);
      await until('cut again', () => !bus.connected);
      expect(seen).toEqual([false, true]);
      await meeting.heal(bus);
    });

    test('answers again after its connection was away', async () => {
      await meeting.cut(answerer);
      await until('cut', () => !answerer.connected);
      await meeting.heal(answerer);
      await heard(asker, 'rpc.double');
      expect((await asker.request('rpc.double', { n: 2 })).json()).toMatchObject({
        twice: [{ n: 2 }, { n: 2 }],
      });
    });
  });
}

/** Interest takes a moment to reach the server. */
async function heard(asker: Bus, subject: string): Promise<void> {
  await until(`${subject} is answered`, async () => {
    try {
      await asker.request(subject, {});
      return true;
    } catch (error) {
      if (error instanceof Unavailable || error instanceof TimedOut) return false;
      throw error;
    }
  });
}

async function heardBy<T>(
  asker: Bus,
  ask: () => Promise<T>,
  began: Promise<void>,
  then: (answer: Promise<T>) => Promise<void>,
): Promise<void> {
  // A round trip of the same connection, so that the subscription before it is known.
  await asker.request('rpc.double', {});
  const answer = ask();
  await Promise.race([began, answer]);
  await then(answer);
}
