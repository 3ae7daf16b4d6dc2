import { readFile, readdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { APP_USERS } from '@skerry/identity';

const ROOT = resolve(import.meta.dirname, '../..');
const APPS = ['api', 'policy', 'scheduler', 'replicator', 'inventory', 'telemetry'];
const read = async (...path: string[]): Promise<string> => await readFile(resolve(ROOT, ...path), 'utf8');

describe('the units and environments of production', () => {
  test('there is an environment for each service, and each service is started', async () => {
    const files = await readdir(resolve(ROOT, 'deploy/hub/env'));
    expect(files.toSorted()).toEqual([...APPS, 'common'].map((name) => `${name}.env`).toSorted());
    const target = await read('deploy/hub/systemd/skerry.target');
    for (const app of APPS) expect(target).toContain(`skerry@${app}.service`);
  });

  test.each(APPS)('every variable set for %s is one that it reads', async (app) => {
    const known = `${await read('libs/service/src/config.ts')}${await read('apps', app, 'src/config.ts')}`;
    const set = `${await read('deploy/hub/env', `${app}.env`)}\n${await read('deploy/hub/env/common.env')}`;
    const names = [...set.matchAll(/^(?:# )?([A-Z][A-Z0-9_]+)=/gm)].map(([, name]) => name ?? '');
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) expect(known).toContain(`'${name}'`);
  });

  test('every service has a user of its own on the bus', () => {
    for (const app of APPS) expect(APP_USERS).toHaveProperty(app);
  });

  test('no unit passes a secret by environment or argument, and each ends what it must and no more', async () => {
    for (const path of [
      'hub/systemd/skerry-nats',
      'hub/systemd/skerry@',
      'site/systemd/skerry-leaf',
      'site/systemd/skerry-agent',
    ]) {
      const unit = await read('deploy', `${path}.service`);
      expect(unit).toMatch(/^UMask=0077$/m);
      expect(unit).toMatch(/^NoNewPrivileges=yes$/m);
      expect(unit).not.toMatch(/token|seed|password/i);
    }
    expect(await read('deploy/site/systemd/skerry-agent.service')).toMatch(/^KillMode=process$/m);
  });
});
