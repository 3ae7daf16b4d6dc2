import { describe, expect, it } from '@jest/globals';
import { cloud, request, site, workload } from '../example-cloud.suite.js';
import { explain } from '../explain.js';

const remedyAt = (jurisdictions: string[], residency: object) => {
  const [explanation] = explain(
    request(workload({ rules: { residency } })),
    cloud([site({ name: 'here', jurisdictions })]),
  );
  const found = explanation?.checks.find(({ check }) => check === 'residency');
  return { ok: found?.ok, remedy: found?.remedy };
};

describe('a residency rule that keeps a workload out', () => {
  it('names the least change that would let it in', () => {
    expect(remedyAt(['us'], { allow: ['eu'] })).toEqual({
      ok: false,
      remedy: 'allow us in spec.placement.residency.allow',
    });
    expect(remedyAt(['eu', 'us'], { allow: ['eu'], deny: ['us'] })).toEqual({
      ok: false,
      remedy: 'take us out of spec.placement.residency.deny',
    });
    expect(remedyAt(['us'], { allow: ['eu'], deny: ['us'] }).remedy).toBe(
      'take us out of spec.placement.residency.deny and allow us in spec.placement.residency.allow',
    );
    expect(remedyAt([], { allow: ['eu'] }).remedy).toBe('name the jurisdictions of here');
    expect(remedyAt(['eu'], { allow: ['eu'] })).toEqual({ ok: true, remedy: undefined });
  });
});
