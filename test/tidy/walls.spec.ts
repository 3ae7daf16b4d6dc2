// The walls of the house. Each rule is tried on small repositories that break it, and then holds for this one.
import { resolve } from 'node:path';
import { readRepository, type Repository, repositoryOf, type Rule } from './repository.js';
import { rules } from './rules/index.js';

const found = (rule: Rule, repository: Repository): string[] =>
  rule.check(repository).map(({ path, says }) => `${path}: ${says}`);

describe('this repository', () => {
  const repository = readRepository(resolve(import.meta.dirname, '../..'));

  it.each(Object.values(rules).map((rule) => [rule.name, rule] as const))('%s', (_name, rule) => {
    expect(found(rule, repository)).toEqual([]);
  });

  it('was read: every kind of room is there, with its sources', () => {
    const kinds = new Set(repository.rooms.map(({ folder }) => folder.split('/')[0]));
    expect(kinds).toEqual(new Set(['apps', 'deploy', 'libs', 'test']));
    expect(repository.sources.length).toBeGreaterThan(100);
    expect(repository.sources.flatMap(({ imports }) => imports).length).toBeGreaterThan(300);
  });
});

const MANIFESTS: Record<string, object> = {
  '': { devDependencies: { jest: '30.5.2' } },
  'libs/contracts': { nx: { tags: ['layer:0'] }, dependencies: { zod: '4.6.7' } },
  'libs/domain': { nx: { tags: ['layer:1', 'pure'] }, dependencies: { '@skerry/contracts': '*' } },
  'libs/bus': { nx: { tags: ['layer:1'] }, dependencies: { '@skerry/contracts': '*' } },
  'apps/policy': { nx: { tags: ['app'] }, dependencies: { '@skerry/bus': '*', '@skerry/domain': '*' } },
  'apps/agent': { nx: { tags: ['app'] } },
  'deploy/nats': { name: '@skerry/nats-server', nx: { tags: ['deploy'] } },
};

/** A small repository that breaks nothing, with some of its files changed or added. */
function house(changes: Record<string, string>, manifests: Record<string, object> = {}): Repository {
  const texts = new Map<string, string>();
  for (const [folder, manifest] of Object.entries({ ...MANIFESTS, ...manifests })) {
    const name = `@skerry/${folder.split('/')[1]}`;
    const path = folder === '' ? 'package.json' : `${folder}/package.json`;
    texts.set(path, JSON.stringify({ name, exports: { '.': './dist/index.js' }, ...manifest }));
    if (folder !== '') texts.set(`${folder}/README.md`, `# ${name}\n${'What it is for. '.repeat(10)}`);
  }
  const sources = {
    'libs/contracts/src/index.ts': "import { z } from 'zod';\nexport const site = z.string();\n",
    'libs/domain/src/index.ts': "export type { Site } from '@skerry/contracts';\n",
    'libs/bus/src/index.ts': "import { site } from '@skerry/contracts';\nexport const bus = site;\n",
    'apps/policy/src/main.ts': "import { bus } from '@skerry/bus';\nimport '@skerry/domain';\nbus;\n",
    ...changes,
  };
  for (const [path, text] of Object.entries(sources)) texts.set(path, text);
  return repositoryOf('/srv/clone', texts, (name) => (name === 'zod' ? ['rxjs'] : []));
}

const DOMAIN = 'libs/domain/src/place.ts';
const POLICY = 'apps/policy/src/x.ts';
const from = (specifier: string): string => `import { x } from '${specifier}';\nexport const y = x;\n`;

it.each(Object.entries(rules))('the small repository breaks nothing: %s', (_name, rule) => {
  expect(found(rule, house({}))).toEqual([]);
});

/** Each case: the rule, the file that breaks it (or keeps it), and what the rule says (or that it says nothing). */
const CASES: [keyof typeof rules, string, string, string | undefined][] = [
  ['layers', 'libs/contracts/src/x.ts', from('@skerry/bus'), 'libs/contracts may not import @skerry/bus'],
  ['layers', DOMAIN, from('@skerry/bus'), 'libs/domain may not import @skerry/bus'],
  ['layers', 'libs/bus/src/x.ts', from('@skerry/domain'), 'libs/bus may not import @skerry/domain'],
  ['layers', 'libs/bus/src/x.ts', from('@skerry/policy'), 'libs/bus may not import @skerry/policy'],
  ['layers', POLICY, from('@skerry/agent'), 'apps/policy may not import @skerry/agent'],
  ['layers', POLICY, from('@skerry/agent/src/x.js'), 'apps/policy may not import @skerry/agent'],
  ['layers', POLICY, "export * from '@skerry/agent';", 'may not import @skerry/agent'],
  ['layers', POLICY, "type A = import('@skerry/agent').A;", 'may not import @skerry/agent'],
  ['layers', POLICY, "await import('@skerry/agent');", 'may not import @skerry/agent'],
  ['layers', POLICY, "const a = require('@skerry/agent');", 'may not import @skerry/agent'],
  ['layers', POLICY, "import a = require('@skerry/agent');", 'may not import @skerry/agent'],
  ['layers', POLICY, '// import x from "@skerry/agent"', undefined],
  ['layers', POLICY, from('@skerry/nats-server'), 'may not import @skerry/nats-server'],
  ['layers', 'libs/bus/src/x.spec.ts', from('@skerry/nats-server'), undefined],
  ['layers', 'deploy/nats/src/x.ts', from('@skerry/agent'), undefined],
  ['imports', POLICY, from('@skerry/bus/src/x.js'), 'x.ts:1: reaches inside @skerry/bus'],
  ['imports', POLICY, from('@skerry/bus/package.json'), 'reaches inside @skerry/bus'],
  ['imports', POLICY, from('../../../libs/bus/src/x.js'), 'x.ts:1: leaves apps/policy'],
  ['imports', POLICY, from('../../agent/src/x.js'), 'leaves apps/policy'],
  ['imports', POLICY, from('/srv/x.js'), 'by an absolute path'],
  ['imports', POLICY, from('../package.json'), undefined],
  ['declared', POLICY, from('zod'), 'imports zod, which apps/policy/package.json does not declare'],
  ['declared', POLICY, from('@skerry/identity'), 'imports @skerry/identity'],
  ['declared', POLICY, from('jest'), 'imports jest'],
  ['declared', 'apps/policy/src/x.spec.ts', from('jest'), undefined],
  ['declared', 'apps/policy/bundle.mjs', from('jest'), undefined],
  ['declared', POLICY, from('node:fs/promises'), undefined],
  [
    'used',
    'libs/contracts/src/index.ts',
    'export const site = 1;',
    'declares zod, which nothing in it imports',
  ],
  ['used', 'apps/policy/src/main.ts', from('@skerry/bus'), 'declares @skerry/domain'],
  ['purity', DOMAIN, from('node:crypto'), 'place.ts:1: imports node:crypto'],
  ['purity', DOMAIN, from('zod'), 'imports zod'],
  ['purity', DOMAIN, '\n\nexport const at = Date.now();', 'place.ts:3: reads the clock: Date.now'],
  ['purity', DOMAIN, 'const { now } = Date;\nnow();', undefined],
  ['purity', DOMAIN, 'new Date();', 'reads the clock: new Date()'],
  ['purity', DOMAIN, 'new Date;', 'reads the clock: new Date()'],
  ['purity', DOMAIN, 'Date();', 'reads the clock: Date()'],
  ['purity', DOMAIN, 'Date.parse(text); new Date(0).toISOString();', undefined],
  ['purity', DOMAIN, 'Math.random();', 'draws at random'],
  ['purity', DOMAIN, 'const { random } = Math;', 'draws at random'],
  ['purity', DOMAIN, "Math['random']();", 'draws at random'],
  ['purity', DOMAIN, 'Math.max(1, 2);', undefined],
  ['purity', DOMAIN, 'setTimeout(f, 1);', 'uses setTimeout'],
  ['purity', DOMAIN, 'console.log(1);', 'uses console'],
  ['purity', DOMAIN, 'globalThis.process;', 'uses globalThis'],
  ['purity', DOMAIN, 'const home = process.env;', 'uses process'],
  ['purity', DOMAIN, "site.driver.process = { process: 'a' };", undefined],
  ['purity', DOMAIN, 'export async function f() {}', 'has an async function'],
  ['purity', DOMAIN, 'const f = async () => 1;', 'has an async function'],
  ['purity', DOMAIN, 'class A { async f() {} }', 'has an async function'],
  ['purity', DOMAIN, 'function f(x: Promise<number>) {}', 'uses Promise'],
  ['purity', DOMAIN, 'await x;', 'awaits'],
  ['purity', DOMAIN, 'for await (const a of b) {}', 'awaits'],
  ['purity', DOMAIN, 'import.meta.url;', 'reads import.meta'],
  ['purity', 'libs/domain/src/place.spec.ts', 'Date.now();', undefined],
  ['purity', POLICY, 'Date.now();', undefined],
  ['names', 'apps/policy/src/utils.ts', '', 'is named for nothing: utils'],
  ['names', 'apps/policy/src/string-helpers.ts', '', 'is named for nothing'],
  ['names', 'apps/policy/src/common/site.ts', '', 'is named for nothing: common'],
  ['names', 'apps/policy/src/lease-manager.spec.ts', '', 'is named for nothing'],
  ['names', 'apps/policy/src/siteStore.ts', '', 'is not in kebab-case'],
  ['names', 'apps/policy/src/site.dto.ts', '', 'has an unknown role'],
  ['names', 'apps/policy/src/database-url.store.ts', '', undefined],
  ['names', 'apps/policy/src/place.props.spec.ts', '', undefined],
  ['readmes', 'apps/policy/README.md', '', 'apps/policy/README.md: is missing or says nothing'],
  ['readmes', 'deploy/site/site.conf', '', 'deploy/site/README.md: is missing'],
  ['length', POLICY, 'x;\n'.repeat(401), 'has 401 lines, 400 at most'],
  ['length', POLICY, 'x;\n'.repeat(400), undefined],
  ['length', 'apps/policy/src/x.spec.ts', 'x;\n'.repeat(801), 'has 801 lines'],
  ['escapes', POLICY, 'const x: any = 1;', 'x.ts:1: says any'],
  ['escapes', POLICY, 'f(x as any);', 'says any'],
  ['escapes', POLICY, 'const x: Record<string, any[]> = {};', 'says any'],
  ['escapes', POLICY, '\nsite!.name;', 'x.ts:2: asserts that a value is there'],
  ['escapes', POLICY, 'x;\n// @ts-ignore\ny;', 'x.ts:2: ignores errors'],
  ['escapes', POLICY, '// @ts-expect-error: it is fine\ny;', 'ignores errors'],
  ['escapes', POLICY, '// any comment!\nconst any = !x;', undefined],
  ['openEnds', POLICY, 'x;\n// TODO: later', 'x.ts:2: is left for later'],
  ['openEnds', 'apps/policy/README.md', `FIXME\n${'x'.repeat(200)}`, 'is left for later'],
  ['machinePaths', POLICY, "const home = '/home/jo/x';", "x.ts:1: names somebody's folder"],
  [
    'machinePaths',
    'apps/policy/README.md',
    `cd /srv/clone\n${'x'.repeat(200)}`,
    'names the folder of one clone',
  ],
  ['machinePaths', 'package-lock.json', '{\n"resolved": "https://example.org/a.tgz"\n}', 'names a registry'],
  ['machinePaths', 'package-lock.json', '{\n"resolved": "apps/policy"\n}', undefined],
  ['subjects', POLICY, "publish('skerry.cmd.workload.apply');", 'x.ts:1: spells a subject'],
  ['subjects', POLICY, 'publish(`$KV.${bucket}.>`);', 'spells a subject'],
  ['subjects', POLICY, 'publish(`${prefix}$JS.API.INFO`);', 'spells a subject'],
  ['subjects', POLICY, '// publishes $KV.x\nx;', undefined],
  ['subjects', 'libs/bus/src/x.ts', "publish('$KV.x');", undefined],
];

it.each(CASES)('%s, with %s of %j: %s', (name, path, text, expected) => {
  const said = found(rules[name], house({ [path]: text })).join('\n');
  expect(said).toMatch(expected === undefined ? /^$/ : new RegExp(`^[^\\n]*${literally(expected)}[^\\n]*$`));
});

const literally = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

describe('a package.json', () => {
  it.each<[keyof typeof rules, string, object, string]>([
    [
      'manifests',
      'libs/bus',
      { nx: { tags: ['layer:2'] } },
      'has the Nx tags "layer:2" instead of "layer:1"',
    ],
    ['manifests', 'libs/domain', { nx: { tags: ['layer:1'] } }, 'instead of "layer:1 pure"'],
    ['manifests', 'libs/quay', { nx: { tags: ['layer:1'] } }, 'instead of "a layer, written down'],
    ['manifests', 'apps/agent', {}, 'has the Nx tags "" instead of "app"'],
    [
      'manifests',
      'apps/agent',
      { nx: { tags: ['app'] }, exports: { '.': '', './src/*': '' } },
      'exports more',
    ],
    ['manifests', 'apps/agent', { nx: { tags: ['app'] }, exports: {} }, 'exports nothing'],
    [
      'manifests',
      'apps/agent',
      { nx: { tags: ['app'] }, dependencies: { zod: '^4.6.7' } },
      'does not pin zod',
    ],
    [
      'manifests',
      'apps/agent',
      { nx: { tags: ['app'] }, dependencies: { '@skerry/bus': '0.1.0' } },
      'does not pin',
    ],
    ['used', 'apps/agent', { dependencies: { ioredis: '6.0.0' } }, 'declares ioredis'],
  ])('%s: %s with %j: %s', (name, folder, manifest, expected) => {
    expect(found(rules[name], house({}, { [folder]: manifest })).join('\n')).toContain(expected);
  });

  it('may declare what a package that it imports wants beside itself', () => {
    const contracts = { nx: { tags: ['layer:0'] }, dependencies: { zod: '4.6.7', rxjs: '7.8.2' } };
    expect(found(rules.used, house({}, { 'libs/contracts': contracts }))).toEqual([]);
  });
});

it('every rule is broken by some case', () => {
  const broken = new Set<string>([
    'manifests',
    ...CASES.filter(([, , , says]) => says).map(([name]) => name),
  ]);
  expect(Object.keys(rules).filter((name) => !broken.has(name))).toEqual([]);
});
