// Makes what a hub in production needs; run again, it renews certificates and adds servers. See README.md beside it.
//
//   node deploy/hub/found.mjs --dir DIR --server h1=h1.hub.example.org [--server ...] [--join HOST ...] [--name skerry]
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { spkiPin, writeHubFolder } from '@skerry/identity';
import { readFile } from 'node:fs/promises';

const USAGE = `usage: node deploy/hub/found.mjs --dir DIR --server NAME=HOST [--server NAME=HOST --server NAME=HOST]
         [--join HOST ...] [--name CLOUD] [--folder /etc/skerry] [--store /var/lib/skerry/hub]`;

try {
  const { values } = parseArgs({
    options: {
      dir: { type: 'string' },
      server: { type: 'string', multiple: true },
      join: { type: 'string', multiple: true },
      name: { type: 'string', default: 'skerry' },
      folder: { type: 'string' },
      store: { type: 'string' },
    },
  });
  if (values.dir === undefined || values.server === undefined)
    throw new Error(`--dir and --server are needed\n${USAGE}`);
  const dir = resolve(values.dir);
  const { name, folder, store } = values;
  const plan = {
    name,
    servers: values.server.map(parseServer),
    ...(values.join === undefined ? {} : { joinHosts: values.join }),
    ...(folder === undefined ? {} : { folder }),
    ...(store === undefined ? {} : { store }),
  };
  await writeHubFolder(dir, plan, Date.now());
  const pin = spkiPin(await readFile(`${dir}/join/join.crt`, 'utf8'));
  console.log(`wrote ${dir}; the join endpoint's key is ${pin}`);
  console.log(
    'next: copy servers/<name>/ to each server, then put identity/operator.seed into a safe (README.md)',
  );
} catch (error) {
  console.error(`found.mjs: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

/** @param {string} text */
function parseServer(text) {
  const cut = text.indexOf('=');
  if (cut < 1) throw new Error(`--server ${text}: wanted is NAME=HOST\n${USAGE}`);
  return { name: text.slice(0, cut), host: text.slice(cut + 1) };
}
