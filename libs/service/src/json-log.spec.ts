import { JsonLog, masked } from './json-log.js';

function logged(act: (log: JsonLog) => void, level: 'debug' | 'info' = 'debug'): Record<string, unknown>[] {
  const lines: string[] = [];
  act(new JsonLog('app', 'one', level, (line) => lines.push(line)));
  return lines.map((line): Record<string, unknown> => {
    expect(line.endsWith('\n')).toBe(true);
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  });
}

describe('the log', () => {
  test('is one line of JSON per event, with level, app and instance', () => {
    expect(logged((log) => log.log('two\nlines', { site: 'edge' }))).toEqual([
      {
        at: expect.any(String),
        level: 'info',
        app: 'app',
        instance: 'one',
        message: 'two\nlines',
        site: 'edge',
      },
    ]);
  });

  test('leaves out what is below its level', () => {
    expect(logged((log) => log.debug('x'), 'info')).toEqual([]);
  });

  test('tells an error with its causes', () => {
    const error = new Error('commit placement', { cause: new Error('timed out') });
    expect(logged((log) => log.error('failed', error))).toMatchObject([
      { message: 'failed', error: { message: 'commit placement', cause: { message: 'timed out' } } },
    ]);
  });

  test('takes what Nest hands over: a context, a stack', () => {
    expect(logged((log) => log.error('boom', 'Error: boom\n    at x', 'Injector'))).toMatchObject([
      { stack: 'Error: boom\n    at x', context: 'Injector' },
    ]);
  });

  test('never fails for what cannot be told', () => {
    const circular: Record<string, unknown> = { big: 10n };
    circular['self'] = circular;
    expect(logged((log) => log.log('odd', circular))).toHaveLength(1);
    expect(logged((log) => log.log('big', { n: 10n }))).toMatchObject([{ n: '10' }]);
  });

  test.each(['x', 'eyJ-', 'a://b:', '-----BEGIN PRIVATE KEY-----', 'x '])(
    'says a text of megabytes of %j shortened, and at once',
    (part) => {
      const began = performance.now();
      const text = part.repeat(4_000_000 / part.length);
      expect(logged((log) => log.log('long', { text }))).toHaveLength(1);
      expect(performance.now() - began).toBeLessThan(1_000);
    },
  );

  test('shows no part of a secret that a long text is cut in', () => {
    const token = `sky_0123456789ab_${'c2Vj'.repeat(10)}`;
    for (let before = 15_940; before < 16_010; before += 7) {
      const text = 'eyJhbGciOiJFZDI1NTE5In0.eyJqdGkiOiJYIn0.c2lnbmF0dXJl '.repeat(290).slice(0, before);
      expect(JSON.stringify(logged((log) => log.log('long', { text: `${text} ${token}` })))).not.toMatch(
        /c2Vj|eyJq/,
      );
    }
  });

  test('masks seeds, tokens, JWTs, keys and passwords wherever they turn up', () => {
    const secrets = [
      `SU${'A2'.repeat(28)}`,
      'eyJhbGciOiJFZDI1NTE5In0.eyJqdGkiOiJYIn0.c2lnbmF0dXJl',
      'redis://user:hunter2@host:1',
      'sky_0123456789ab_c2VjcmV0LXNlY3JldC1zZWNyZXQ',
      'skj_0123456789ab_c2VjcmV0LXNlY3JldC1zZWNyZXQ',
      '-----BEGIN PRIVATE KEY-----\nMIGHAgEA\n-----END PRIVATE KEY-----',
    ];
    for (const secret of secrets) {
      const [line] = logged((log) =>
        log.error(`failed with ${secret}`, new Error(secret), { given: secret }),
      );
      const text = JSON.stringify(line);
      for (const part of ['A2A2A2', 'eyJqdGki', 'hunter2', 'c2VjcmV0', 'MIGHAgEA'])
        expect(text).not.toContain(part);
    }
    const pem = ['-----BEGIN PRIVATE KEY-----', 'MIGHAgEA', 'MIGHAgEB', '-----END PRIVATE KEY-----'];
    expect(JSON.stringify(logged((log) => log.log('key', { pem, after: 'shown' })))).toMatch(
      /^(?!.*MIGH).*shown/,
    );
    expect(
      JSON.stringify(logged((log) => log.log('key', { pem: pem.slice(0, 2).join('\n') }))),
    ).not.toContain('MIGH');
    expect(masked('sky_0123456789ab_secret')).toBe('sky_0123456789ab_[secret]');
    expect(masked('nats://host:4222')).toBe('nats://host:4222');
  });
});
