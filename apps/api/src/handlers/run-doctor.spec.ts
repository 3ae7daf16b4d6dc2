import { describe, expect, it } from '@jest/globals';
import { remedyOf } from './run-doctor.js';

describe('what doctor advises about the trouble of a site', () => {
  it('is for a dataset that a restored hub does not know about its copies, not about what runs', () => {
    const remedy = remedyOf('the hub does not know dataset shop/cart: nothing shows it');
    expect(remedy).toMatch(/copies stay[^]*apply its document again/);
    expect(remedy).not.toContain('skerry --site');
    expect(remedyOf('the hub does not know shop/late, which goes on here')).toContain('skerry --site');
    expect(remedyOf('no room left on the disk')).toContain('make room');
  });
});
