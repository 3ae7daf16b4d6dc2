// A program of somebody who has taken over a site: floods the hub through the site's own leaf server, as fast as that
// takes it. It is a process of its own so that the test that watches keeps its processor. Standard input: `Orders` as
// JSON. It says one line when it begins, and ends by itself.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { headers } from '@nats-io/nats-core';
import { connect, nkeyAuthenticator } from '@nats-io/transport-node';

/**
 * @typedef {object} Orders
 * @property {string} server `host:port` of the leaf server
 * @property {string} seedFile seed of the site's agent
 * @property {'reports' | 'keys' | 'bodies' | 'requests'} what
 * @property {number} forMs
 * @property {string[]} messageIds forged ones, used in turn
 * @property {object} report an honest report, sent under other names
 */

/** Messages between two looks at whether the leaf server has them: else they would heap up in this process. */
const AT_ONCE = 200;
const BIG_AT_ONCE = 4;
const BIG_BYTES = 900 * 1024;
const REQUESTS = ['rpc.heartbeat', 'rpc.ping', 'rpc.digest', 'rpc.retired'];

/** @type {Orders} */
const orders = JSON.parse(readFileSync(0, 'utf8'));
const connection = await connect({
  servers: orders.server,
  authenticator: nkeyAuthenticator(Buffer.from(readFileSync(orders.seedFile, 'utf8').trim())),
  inboxPrefix: '_INBOX_flooder',
});
const big = new Uint8Array(randomBytes(BIG_BYTES));
const batch = orders.what === 'bodies' ? BIG_AT_ONCE : AT_ONCE;
process.stdout.write('flooding\n');
const end = performance.now() + orders.forMs;
for (let sent = 0; performance.now() < end; sent += batch) {
  for (let i = 0; i < batch; i += 1) send(sent + i);
  await connection.flush();
}
await connection.close();

/** @param {number} n */
function send(n) {
  const forged = headers();
  const id = orders.messageIds[n % orders.messageIds.length];
  if (id !== undefined) forged.set('Nats-Msg-Id', id);
  const { subject, body } = message(n);
  connection.publish(subject, body, { headers: forged, reply: `_INBOX_flooder.${n}` });
}

/** @param {number} n */
function message(n) {
  const name = orders.what === 'keys' ? `flood-${n}` : 'flood';
  const subject = `up.workload.test.${name}`;
  switch (orders.what) {
    case 'reports':
    case 'keys':
      return { subject, body: JSON.stringify({ ...orders.report, name }) };
    case 'bodies':
      return { subject, body: big };
    case 'requests':
      return { subject: REQUESTS[n % REQUESTS.length] ?? '', body: '{}' };
  }
}
