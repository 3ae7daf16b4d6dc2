import { createHash, timingSafeEqual } from 'node:crypto';
import { APP, LIMITS } from '@skerry/contracts';
import { admitLogin, readLogin, refuseLogin, type Login, type NKey } from '@skerry/identity';
import type { Log } from '../log.js';

/** The account that applications are in: bound to nothing, so that nothing in it leaves the site. */
const ACCOUNT = 'LOCAL';
/** The same is said once in this time. */
const SAY_AGAIN_MS = 1_000;

export interface AppLoginsOptions {
  issuer: NKey;
  node: string;
  /** Tokens of the replicas that may be running here, by their ids. */
  tokens: () => ReadonlyMap<string, string>;
  /** Whether the site has other nodes, which know other replicas. */
  several: () => boolean;
  log: Log;
}

/** Decides which logins at the site's server are those of replicas of this node. */
export class AppLogins {
  private saidAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: AppLoginsOptions) {}

  /**
   * What the server is answered, and who is let in. Nothing when it may be another node's replica: that node answers, or nobody does
   * and the server refuses it by itself.
   */
  decide(request: string): { answer: string; admitted?: Login } | undefined {
    const login = readLogin(request);
    if (login === undefined) return undefined;
    const { issuer, node, tokens, several, log } = this.options;
    const by = { issuer, nowMs: Date.now() };
    // Such as a user whose key was taken out of the server's configuration.
    if (login.user === '') return { answer: refuseLogin(login, by, 'it names no replica') };
    const token = tokens().get(login.user);
    if (token !== undefined && isSame(token, login.password)) {
      const name = connectionName({ replica: login.user, node, token });
      return { answer: admitLogin(login, by, { ...rightsOf(login.user), name }), admitted: login };
    }
    if (token === undefined && several()) return undefined;
    const why =
      token === undefined ? 'no replica here has this id' : 'the token is not the one that this replica has';
    if (performance.now() - this.saidAt > SAY_AGAIN_MS) {
      this.saidAt = performance.now();
      log.warn('an application was not let in', { user: login.user, reason: why });
    }
    return several() ? undefined : { answer: refuseLogin(login, by, why) };
  }
}

/** A replica says what carries its id, hears what is sent to its own inboxes, and answers what asks for that there. */
function rightsOf(replica: string) {
  return {
    account: ACCOUNT,
    permissions: { pub: [APP.all(replica)], sub: [`${APP.inbox(replica)}.>`] },
    answerMs: LIMITS.appUnansweredMs,
    subscriptions: LIMITS.appSubscriptions,
  };
}

/** How the server lists a connection: whose it is, and by which token, which it does not tell. */
export function connectionName({
  replica,
  node,
  token,
}: {
  replica: string;
  node: string;
  token: string;
}): string {
  return `${replica} ${node} ${digestOf(token).toString('base64url').slice(0, 16)}`;
}

function isSame(token: string, given: string): boolean {
  return timingSafeEqual(digestOf(token), digestOf(given));
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
