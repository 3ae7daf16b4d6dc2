import { z } from 'zod';
import { BASE_VARIABLES, parseConfig, variable, wholeNumber, wholeNumberOr } from './config.js';

const variables = {
  ...BASE_VARIABLES,
  term: variable('SKERRY_HUB_TERM', wholeNumberOr(1, 1, 1_000)),
  needed: variable('SKERRY_NEEDED', wholeNumber(0, 10)),
  secret: variable('SKERRY_SECRET', z.string().max(3).optional()),
};
const good = { SKERRY_NATS_URL: 'nats://a:1, nats://b:2', SKERRY_NEEDED: '7' };

describe('configuration', () => {
  test('is typed, with defaults, an empty text counting as absent', () => {
    const parsed = parseConfig(variables, { ...good, SKERRY_HUB_TERM: ' ', SKERRY_LOG: '' });
    expect(parsed).toMatchObject({
      ok: true,
      value: {
        natsUrls: ['nats://a:1', 'nats://b:2'],
        healthPort: 0,
        logLevel: 'info',
        term: 1,
        needed: 7,
      },
    });
  });

  test('names every variable that is wrong, at once', () => {
    const parsed = parseConfig(variables, {
      SKERRY_NATS_URL: 'nats://a:1,,',
      SKERRY_HUB_TERM: '0x10',
      SKERRY_HTTP_PORT: '-1',
      SKERRY_LOG: 'verbose',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'not a url',
    });
    expect(parsed.ok ? [] : parsed.problems.map((p) => p.variable)).toEqual([
      'SKERRY_NATS_URL',
      'SKERRY_HTTP_PORT',
      'SKERRY_LOG',
      'OTEL_EXPORTER_OTLP_ENDPOINT',
      'SKERRY_HUB_TERM',
      'SKERRY_NEEDED',
    ]);
    expect(parsed.ok ? undefined : parsed.problems.at(-1)?.problem).toContain('not set');
  });

  test('says what is allowed', () => {
    const parsed = parseConfig(variables, { ...good, SKERRY_HUB_TERM: '5000' });
    expect(parsed).toEqual({
      ok: false,
      problems: [{ variable: 'SKERRY_HUB_TERM', problem: 'not allowed: a whole number from 1 to 1000' }],
    });
  });

  test('never repeats a value: it could be a secret', () => {
    const parsed = parseConfig(variables, { ...good, SKERRY_SECRET: 'hunter2' });
    expect(parsed.ok).toBe(false);
    expect(JSON.stringify(parsed)).not.toContain('hunter2');
  });
});
