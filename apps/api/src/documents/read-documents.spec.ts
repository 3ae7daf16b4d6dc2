import { describe, expect, it } from '@jest/globals';
import { LIMITS, Refusal } from '@skerry/contracts';
import * as fc from 'fast-check';
import { readDocuments } from './read-documents.js';

const bytes = (text: string) => new TextEncoder().encode(text);
const yaml = (text: string) => readDocuments({ mediaType: 'text/yaml', bytes: bytes(text) }).workloads;
const json = (value: unknown) =>
  readDocuments({ mediaType: 'application/json', bytes: bytes(JSON.stringify(value)) }).workloads;

const WEB = 'apiVersion: skerry/v1\nkind: Workload\nmetadata: {name: web}\nspec: {run: {command: [node]}}\n';

function refusalOf(act: () => unknown): Refusal {
  try {
    act();
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

function outcomeOf(act: () => unknown): string {
  try {
    act();
    return 'read';
  } catch (error) {
    return error instanceof Refusal ? 'refused' : `threw ${String(error)}`;
  }
}

describe('documents', () => {
  it('are read from YAML and JSON alike, with the defaults filled in', () => {
    const [document] = yaml(WEB);
    expect(document).toMatchObject({
      metadata: { project: 'default' },
      spec: { placement: { replicas: 1 } },
    });
    const { apiVersion, kind, metadata, spec } = document ?? {};
    expect(json({ documents: [{ apiVersion, kind, metadata, spec }] })).toEqual([document]);
    expect(json({ sources: [{ name: 'web.yaml', text: WEB }] })).toEqual([document]);
  });

  it('may be of datasets and workloads together, in any order', () => {
    const maps = 'apiVersion: skerry/v1\nkind: Dataset\nmetadata: {name: web}\nspec: {type: keyvalue}\n';
    const read = readDocuments({ mediaType: 'text/yaml', bytes: bytes(`${maps}---\n${WEB}`) });
    expect(read).toMatchObject({ workloads: [{ kind: 'Workload' }], datasets: [{ kind: 'Dataset' }] });
  });

  it('may be separated, commented and empty in between', () => {
    const text = `# first\n---\n${WEB}---\n---\n# nothing\n---\n${WEB.replace('web', 'api')}...\n`;
    expect(yaml(text).map(({ metadata }) => metadata.name)).toEqual(['web', 'api']);
  });

  it('keep anchors and aliases, up to a limit', () => {
    const text = WEB.replace('[node]', '&c [node]');
    expect(yaml(text)[0]?.spec.run.command).toEqual(['node']);
    const many = `x: &x 1\ny: [${Array.from({ length: LIMITS.documentAliases + 1 }, () => '*x').join(', ')}]`;
    expect(refusalOf(() => yaml(many)).code).toBe('too-large');
  });

  it('are read as YAML 1.2: yes is a text, and so are dates and octal-looking words', () => {
    const text = WEB.replace('{command: [node]}', '{command: [yes, no, 2001-01-01, 012a], env: {A: "yes"}}');
    expect(yaml(text)[0]?.spec.run.command).toEqual(['yes', 'no', '2001-01-01', '012a']);
  });

  it('name line and column of what is no YAML', () => {
    const refusal = refusalOf(() => json({ sources: [{ name: 'a.yaml', text: 'a: 1\nb: [1,\nc: 2' }] }));
    expect(refusal.code).toBe('malformed');
    expect(refusal.details.issues?.[0]?.path).toMatch(/^a\.yaml:\d+:\d+$/);
  });

  it('are refused together: an issue of each, its path beginning with file and workload', () => {
    const bad = WEB.replace('[node]', '[]');
    const sources = [
      { name: 'a.yaml', text: `${bad}---\n${bad.replace('web', 'two')}` },
      { name: 'b.yaml', text: bad.replace('name: web', 'name: WEB') },
    ];
    const { issues = [] } = refusalOf(() => json({ sources })).details;
    expect(issues.map(({ path }) => path)).toEqual([
      'a.yaml[0] web: spec.run.command',
      'a.yaml[1] two: spec.run.command',
      'b.yaml: metadata.name',
      'b.yaml: spec.run.command',
    ]);
  });

  it('are refused in a body of another shape', () => {
    expect(refusalOf(() => json({})).code).toBe('invalid');
    expect(refusalOf(() => json({ documents: [], sources: [] })).code).toBe('invalid');
    expect(refusalOf(() => json([WEB])).code).toBe('invalid');
    expect(refusalOf(() => readDocuments({ mediaType: '', bytes: bytes(WEB) })).code).toBe('malformed');
  });

  it('are never more nested than the limit, however they are written', () => {
    const deep = (n: number) => `${WEB}x: ${'{a: '.repeat(n)}1${'}'.repeat(n)}\n`;
    expect(refusalOf(() => yaml(deep(LIMITS.documentDepth + 5))).code).toBe('too-large');
    expect(refusalOf(() => yaml(deep(LIMITS.documentDepth - 5))).code).toBe('invalid');
  });

  it('whatever the text is, are read or refused, and nothing else is thrown', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc
        .array(
          fc.constantFrom(
            'a: ',
            '- ',
            '[',
            ']',
            '{',
            '}',
            '&x ',
            '*x ',
            '!!str ',
            '"',
            "'",
            '\n',
            '  ',
            '? ',
            '| ',
            '> ',
            '---\n',
            '%',
            '#',
            ': ',
            ',',
          ),
          { maxLength: 60 },
        )
        .map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(text, (given) => {
        expect(outcomeOf(() => yaml(given))).toMatch(/^(?:read|refused)$/);
      }),
      { numRuns: 500 },
    );
  });
});
