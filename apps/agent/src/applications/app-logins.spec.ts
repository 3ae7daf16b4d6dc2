import { describe, expect, it } from '@jest/globals';
import { decodeJwt, mintJwt, NKey, verifyJwt } from '@skerry/identity';
import type { Log } from '../log.js';
import { AppLogins } from './app-logins.js';

const WEB = 'shop.web.s1.0';
const TOKEN = 'the-token-of-web';
const issuer = NKey.create('account');
const server = NKey.create('server');
const user = NKey.create('user').publicKey;

function requestOf(given: object): string {
  const nats = {
    server_id: { id: server.publicKey },
    user_nkey: user,
    client_info: { id: 7 },
    connect_opts: given,
  };
  const kind = 'authorization_request' as const;
  return mintJwt({ name: '', kind, subject: user, issuer: server, issuedAtMs: Date.now(), nats });
}

function decided(request: string, { several = false } = {}) {
  const lines: string[] = [];
  const line = (...said: unknown[]) => void lines.push(JSON.stringify(said));
  const log: Log = { debug: line, info: line, warn: line, error: line };
  const tokens = () => new Map([[WEB, TOKEN]]);
  const made = new AppLogins({ issuer, node: 'n1', tokens, several: () => several, log }).decide(request);
  const answer = made && verifyJwt(made.answer, { nowMs: Date.now(), issuers: [issuer.publicKey] });
  return { made, answer: answer?.ok === true ? answer.claims : undefined, said: lines.join('\n') };
}

describe('a login at the site’s server', () => {
  it('of a replica with its token is let in, for what carries its id alone, and the answer is for that server', () => {
    const { made, answer } = decided(requestOf({ user: WEB, pass: TOKEN }));
    expect(made?.admitted).toMatchObject({ server: server.publicKey, connection: 7 });
    expect(answer).toMatchObject({ kind: 'authorization_response', subject: user });
    const admission = decodeJwt(String(answer?.nats['jwt']));
    expect(admission).toMatchObject({
      ok: true,
      claims: {
        subject: user,
        name: expect.stringMatching(/^shop\.web\.s1\.0 n1 [\w-]{16}$/),
        nats: {
          pub: { allow: [`app.${WEB}.>`] },
          sub: { allow: [`_INBOX.${WEB}.>`] },
          allowed_connection_types: ['STANDARD'],
        },
      },
    });
    expect(JSON.stringify(admission)).not.toContain(TOKEN);
  });

  it('with another token, of another replica or of nobody is refused with the reason in the log, and never what was shown', () => {
    for (const [given, why] of [
      [{ user: WEB, pass: 'a-wrong-one' }, 'the token is not the one that this replica has'],
      [{ user: 'shop.web.s1.1', pass: TOKEN }, 'no replica here has this id'],
    ] as const) {
      const { made, answer, said } = decided(requestOf(given));
      expect(made?.admitted).toBeUndefined();
      expect(answer?.nats['error']).toBe(why);
      expect(said).toContain(why);
      expect(said).not.toContain(given.pass);
    }
    expect(decided(requestOf({ nkey: user })).answer?.nats['error']).toBe('it names no replica');
  });

  it('where there are other nodes is left to them, unless it is let in here or cannot be a replica', () => {
    const several = { several: true };
    expect(decided(requestOf({ user: WEB, pass: TOKEN }), several).made?.admitted).toBeDefined();
    for (const given of [
      { user: WEB, pass: 'a-wrong-one' },
      { user: 'shop.web.s1.1', pass: TOKEN },
    ])
      expect(decided(requestOf(given), several).made).toBeUndefined();
    expect(decided(requestOf({}), several).answer?.nats['error']).toBe('it names no replica');
  });

  it('that is none is not answered', () => {
    const nats = { user_nkey: user };
    const other = mintJwt({ name: '', kind: 'user', subject: user, issuer, issuedAtMs: 0, nats });
    const long = requestOf({ user: 'x'.repeat(301), pass: TOKEN });
    for (const request of ['', 'a.b.c', other, long]) expect(decided(request).made).toBeUndefined();
  });
});
