import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  BUCKETS,
  EVENT_TYPES,
  LIVE_HEARTBEAT,
  RPC,
  STREAMS,
  bucketStream,
  bucketSubject,
  liveHeartbeatSubject,
} from '@skerry/contracts';
import { APP_USERS, type AppUser } from '@skerry/identity';
import { PermissionViolationError, type NatsConnection } from '@nats-io/nats-core';
import { SecuredCloud } from './secured-cloud.js';

const APPS = ['api', 'policy', 'scheduler', 'replicator', 'inventory', 'telemetry'] as const;
const USERS = [...APPS, 'operator'] as const;
type User = (typeof USERS)[number];
const ACCOUNT = `A${'B'.repeat(55)}`;

/** A subject and the users that may publish it: said here from the owners in the contracts, not from the grants. */
interface Rule {
  subject: string;
  may: readonly User[];
}

const OWNERS: readonly { stream: string; owner: string }[] = [
  ...Object.values(BUCKETS).map(({ name, owner }) => ({ stream: bucketStream(name), owner })),
  ...Object.values(STREAMS).map(({ name, owner }) => ({ stream: name, owner })),
];

const PUBLISH: readonly Rule[] = [
  ...Object.values(BUCKETS)
    .filter(({ name }) => name !== 'leases')
    .map(({ name, owner }) => ({ subject: bucketSubject(name, 'shop.web'), may: only(owner) })),
  ...APPS.filter((app) => app !== 'api' && app !== 'policy').map((app) => ({
    subject: bucketSubject('leases', app),
    may: [app, 'policy'] as const,
  })),
  ...OWNERS.flatMap(({ stream, owner }) =>
    ['CREATE', 'UPDATE', 'DELETE', 'PURGE'].map((call) => ({
      subject: `$JS.API.STREAM.${call}.${stream}`,
      may: only(owner),
    })),
  ),
  ...Object.entries(EVENT_TYPES).map(([type, { by }]) => ({
    subject: `skerry.evt.${type}.shop.web`,
    may: only(by),
  })),
  ...APPS.filter((app) => app !== 'api').map((app) => ({
    subject: `skerry.dlq.${app}.CMD`,
    may: [app] as const,
  })),
  { subject: 'skerry.cmd.workload.apply.shop._', may: ['api'] },
  { subject: 'desired.eu-de.assignment.shop.web', may: ['replicator'] },
  { subject: 'observed.eu-de.workload.shop.web', may: ['inventory'] },
  { subject: `dl.${ACCOUNT}.req.logs`, may: ['api'] },
  { subject: `dl.${ACCOUNT}.req.digest`, may: ['api', 'replicator'] },
  { subject: `dl.${ACCOUNT}.d`, may: [] },
  { subject: `ing.${ACCOUNT}.workload.shop.web`, may: [] },
  { subject: `rpc.${ACCOUNT}.heartbeat`, may: [] },
  { subject: '_R_.abc.def', may: ['replicator', 'inventory'] },
  { subject: '$SYS.REQ.CLAIMS.UPDATE', may: [] },
  { subject: 'skerry.live.status.shop.web', may: ['telemetry'] },
  { subject: liveHeartbeatSubject('x'), may: ['inventory'] },
  { subject: RPC.cutOff, may: ['api', 'inventory'] },
  { subject: RPC.retired, may: ['api', 'inventory'] },
  ...[
    RPC.plan,
    RPC.why,
    RPC.whatIf,
    RPC.move,
    RPC.status,
    RPC.admit,
    RPC.joinTicket,
    RPC.join,
    RPC.renew,
    RPC.hub,
  ].map((subject) => ({
    subject,
    may: ['api'] as const,
  })),
  { subject: '$JS.API.CONSUMER.CREATE.KV_identities.x', may: ['api', 'policy', 'replicator'] },
  {
    subject: '$JS.API.DIRECT.GET.KV_identities.$KV.identities.site.eu-de',
    may: ['api', 'policy', 'replicator'],
  },
  { subject: '$JS.API.CONSUMER.MSG.NEXT.CMD.policy', may: ['policy'] },
  // Whoever may ask names the subject that is answered on, and the server writes there.
  { subject: '$JS.API.STREAM.INFO.EVT', may: [...APPS] },
  {
    subject: '$JS.API.DIRECT.GET.KV_workloads.$KV.workloads.shop.web',
    may: ['api', 'policy', 'scheduler', 'replicator', 'telemetry'],
  },
];

const SUBSCRIBE: readonly Rule[] = [
  { subject: '>', may: [] },
  { subject: '$KV.>', may: [] },
  { subject: '_R_.>', may: [] },
  { subject: 'ing.*.>', may: ['inventory'] },
  { subject: 'rpc.*.heartbeat', may: ['inventory'] },
  { subject: 'rpc.*.digest', may: ['replicator', 'inventory'] },
  { subject: 'rpc.*.retired', may: ['inventory'] },
  { subject: LIVE_HEARTBEAT, may: ['api'] },
  { subject: 'rpc.*.answer.*', may: ['api'] },
  { subject: 'skerry.evt.>', may: ['operator'] },
  { subject: 'skerry.rpc.>', may: [] },
  { subject: RPC.join, may: ['policy'] },
  { subject: RPC.plan, may: ['scheduler'] },
  { subject: RPC.move, may: ['scheduler'] },
  { subject: RPC.status, may: ['telemetry'] },
  ...USERS.map((user) => ({ subject: `_INBOX_${user}.>`, may: [user] as const })),
];

describe('the users of the hub', () => {
  let cloud: SecuredCloud;
  const connections = new Map<AppUser, NatsConnection>();
  beforeAll(async () => {
    cloud = await SecuredCloud.start([]);
    for (const user of USERS) {
      connections.set(user, await cloud.connectCloud(user, APP_USERS[user].permissions));
    }
  }, 60_000);
  afterAll(async () => {
    await cloud?.stop();
  });

  test.each(USERS)('%s may publish what it owns or asks, and nothing of the others', async (user) => {
    const refused = await refusals(user, 'publish', PUBLISH);
    const wanted = PUBLISH.filter(({ may }) => !may.includes(user)).map(({ subject }) => subject);
    expect(refused).toEqual(new Set(wanted));
  });

  test.each(USERS)('%s may subscribe to what it answers or follows, and to no other inbox', async (user) => {
    const refused = await refusals(user, 'subscription', SUBSCRIBE);
    const wanted = SUBSCRIBE.filter(({ may }) => !may.includes(user)).map(({ subject }) => subject);
    expect(refused).toEqual(new Set(wanted));
  });

  test('the user in the system account may push and delete claims and do nothing else', async () => {
    const system = await cloud.connectSystem(APP_USERS['policy-sys'].permissions);
    connections.set('policy-sys', system);
    const subjects = ['CLAIMS.UPDATE', 'CLAIMS.DELETE', 'CLAIMS.LIST', 'CLAIMS.PACK', 'SERVER.PING.VARZ'];
    const rules = subjects.map((subject) => ({ subject: `$SYS.REQ.${subject}`, may: [] }));
    expect(await refusals('policy-sys', 'publish', rules)).toEqual(
      new Set(['$SYS.REQ.CLAIMS.LIST', '$SYS.REQ.CLAIMS.PACK', '$SYS.REQ.SERVER.PING.VARZ']),
    );
    const heard = [{ subject: '$SYS.>', may: [] }];
    expect(await refusals('policy-sys', 'subscription', heard)).toEqual(new Set(['$SYS.>']));
  });

  /** Does it with every rule's subject at once; the server's refusals arrive before its answer to the flush. */
  async function refusals(user: AppUser, what: 'publish' | 'subscription', rules: readonly Rule[]) {
    const connection = connections.get(user);
    if (connection === undefined) throw new Error(`no connection of ${user}`);
    const refused = new Set<string>();
    void (async () => {
      for await (const status of connection.status()) {
        if (status.type !== 'error' || !(status.error instanceof PermissionViolationError)) continue;
        if (status.error.operation === what) refused.add(status.error.subject);
      }
    })();
    for (const { subject } of rules) {
      if (what === 'publish') connection.publish(subject, '');
      else connection.subscribe(subject, { callback: () => undefined });
    }
    await connection.flush();
    await connection.flush();
    return refused;
  }
});

function only(owner: string): readonly User[] {
  return USERS.filter((user) => user === owner);
}
