import { createHash, timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { BucketChange } from '@skerry/bus';
import { type Actor, type ApiToken, apiTokenSchema } from '@skerry/contracts';

export type TokenCheck =
  { ok: true; actor: Actor } | { ok: false; reason: 'missing' | 'malformed' | 'unknown' | 'expired' };

const TOKEN = /^sky_([a-z0-9]{8,32})_([A-Za-z0-9_-]{20,100})$/;
/** Keys of bucket `identities` that hold api tokens. */
export const TOKEN_KEYS = 'token.*';
const PREFIX = 'token.';

/** The api tokens of bucket `identities`: hashes only. */
@Injectable()
export class TokensStore {
  private readonly tokens = new Map<string, ApiToken>();

  /** Folds a change. What is malformed or gone logs nobody in any more. */
  take(change: BucketChange<unknown>): void {
    const id = change.key.slice(PREFIX.length);
    const token = change.kind === 'put' ? apiTokenSchema.safeParse(change.value) : undefined;
    if (token?.success === true && token.data.id === id) this.tokens.set(id, token.data);
    else this.tokens.delete(id);
  }

  /** Who bears this token at `now` (ms since the epoch). Takes the same time wherever a wrong secret differs. */
  check(text: string | undefined, now: number): TokenCheck {
    if (text === undefined) return { ok: false, reason: 'missing' };
    const [, id = '', secret = ''] = TOKEN.exec(text) ?? [];
    if (id === '') return { ok: false, reason: 'malformed' };
    const token = this.tokens.get(id);
    const given = createHash('sha256').update(secret).digest();
    const wanted = Buffer.from(token?.secretSha256 ?? '0'.repeat(64), 'hex');
    if (!timingSafeEqual(given, wanted) || !token) return { ok: false, reason: 'unknown' };
    if (Date.parse(token.expiresAt) <= now) return { ok: false, reason: 'expired' };
    return { ok: true, actor: { subject: token.subject, role: token.role } };
  }
}
