import { randomBytes } from 'node:crypto';
import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Refusal, requestIdSchema } from '@skerry/contracts';
import type { FastifyRequest } from 'fastify';
import { TokensStore, type TokenCheck } from '../stores/tokens.store.js';
import { FailedTries } from './failed-tries.js';
import { requestTrace } from './request-trace.js';

const HINT =
  'send "Authorization: Bearer sky_…"; the CLI reads its token from the context file that `npm start` writes (.skerry/context.json)';

/** Lets in who bears a token that is known and has not expired, and establishes who that is. */
@Injectable()
export class TokenGuard implements CanActivate {
  private readonly failedTries = new FailedTries();

  constructor(@Inject(TokensStore) private readonly tokens: TokensStore) {}

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const check = this.tokens.check(bearerOf(request.headers.authorization), Date.now());
    if (!check.ok) this.refuse(check, request.ip);
    const given = request.headers['idempotency-key'];
    request.caller = {
      actor: check.actor,
      requestId: requestIdOf(given),
      mayBeRetry: given !== undefined,
      trace: request.trace ?? requestTrace(undefined),
    };
    return true;
  }

  private refuse(check: TokenCheck & { ok: false }, address: string): never {
    if (!this.failedTries.spend(address, Date.now())) {
      throw new Refusal('throttled', 'too many failed logins from this address', {
        hint: `wait a second; ${HINT}`,
      });
    }
    throw new Refusal('unauthorized', REASONS[check.reason], { hint: HINT });
  }
}

const REASONS: Record<(TokenCheck & { ok: false })['reason'], string> = {
  missing: 'a bearer token is needed',
  malformed: 'this is no token of Skerry: one looks like sky_<id>_<secret>',
  unknown: 'this token is not known here',
  expired: 'this token has expired',
};

function bearerOf(header: string | undefined): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(header ?? '')?.[1];
}

/** Ids of what was changed at a site: see `siteCommandId`. */
const OF_A_SITE = /^at-[0-9a-f]{16}-/;

function requestIdOf(given: string | string[] | undefined): string {
  if (given === undefined) return randomBytes(16).toString('hex');
  const parsed = requestIdSchema.safeParse(given);
  if (parsed.success && !OF_A_SITE.test(parsed.data)) return parsed.data;
  throw new Refusal('invalid', 'the Idempotency-Key is not one', {
    issues: [
      {
        path: 'Idempotency-Key',
        problem: 'not allowed',
        allowed: '8 to 64 of A-Z a-z 0-9 _ -, and not as sites have them (at-…)',
      },
    ],
  });
}
