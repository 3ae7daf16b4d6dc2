import { describe, expect, it } from '@jest/globals';
import { siteNamed } from './site-named.js';

describe('--site HERE', () => {
  it('asks that site wherever it stands before the command', () => {
    const asked = { site: 'shop', rest: ['--json', '--project', 'p', 'status'] };
    for (const args of [
      ['--site', 'shop', '--json', '--project', 'p', 'status'],
      ['--json', '--site', 'shop', '--project', 'p', 'status'],
      ['--json', '--project', 'p', '--site=shop', 'status'],
    ])
      expect(siteNamed(args)).toEqual(asked);
  });

  it("is the command's own option behind it, and the value of another is no command", () => {
    expect(siteNamed(['logs', 'web', '--site', 'shop'])).toBeUndefined();
    expect(siteNamed(['--json', 'logs', '--site=shop'])).toBeUndefined();
    expect(siteNamed(['--project', '--site', 'status'])).toBeUndefined();
    expect(siteNamed(['--site'])).toBeUndefined();
  });
});
