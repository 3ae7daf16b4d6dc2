import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { parse, placementRulesSchema, workloadDocumentSchema } from '@skerry/contracts';
import { parse as parseYaml } from 'yaml';

const ROOT = resolve(import.meta.dirname, '../../..');
const read = (path: string) => readFileSync(resolve(ROOT, path), 'utf8');

describe('the worked example of placement', () => {
  const document: unknown = parseYaml(read('deploy/examples/placement.yaml'));

  it('is what the schema takes', () => {
    expect(parse(workloadDocumentSchema, document)).toMatchObject({ ok: true });
  });

  it('uses every rule that there is', () => {
    expect(document).toMatchObject({ spec: { placement: expect.any(Object) } });
    const { spec } = workloadDocumentSchema.parse(document);
    const plain = placementRulesSchema.parse({});
    for (const field of Object.keys(placementRulesSchema.shape)) {
      const [own, usual] = [Reflect.get(spec.placement, field), Reflect.get(plain, field)];
      expect({ field, differs: JSON.stringify(own) !== JSON.stringify(usual) }).toEqual({
        field,
        differs: true,
      });
    }
  });
});

describe('the page of the rules of placement', () => {
  const page = read('libs/contracts/placement-rules.md');
  const nested = ['sites', 'traffic', 'onSiteLoss'] as const;

  it('has a line for every rule that the schema knows', () => {
    const plain = placementRulesSchema.parse({});
    const inner = nested.flatMap((field) => Object.keys(plain[field]).map((key) => `${field}.${key}`));
    const whole = Object.keys(placementRulesSchema.shape).filter((field) => !nested.some((n) => n === field));
    for (const field of [...whole, ...inner]) expect(page).toContain(`\`${field}\``);
  });

  it('tells the defaults as they are', () => {
    const plain = placementRulesSchema.parse({});
    for (const [field, value] of [
      ['replicas', plain.replicas],
      ['priority', plain.priority],
      ['preempts', plain.preempts],
      ['traffic.egressGiBMonth', plain.traffic.egressGiBMonth],
      ['traffic.headroom', plain.traffic.headroom],
      ['onSiteLoss.orphan', plain.onSiteLoss.orphan],
      ['onSiteLoss.rejoin', plain.onSiteLoss.rejoin],
    ] as const) {
      expect(page).toMatch(
        new RegExp(
          `\\| \`${field.replace('.', '\\.')}\` +\\| ${JSON.stringify(value).replaceAll('"', '').replace('.', '\\.')} +\\|`,
        ),
      );
    }
  });
});
