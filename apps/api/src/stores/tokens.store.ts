import { Injectable } from '@nestjs/common';
import type { BucketChange } from '@skerry/bus';
import { type ApiToken, apiTokenSchema } from '@skerry/contracts';
import { apiTokenId, type ApiTokenCheck, checkApiToken } from '@skerry/identity';

export type TokenCheck = ApiTokenCheck | { ok: false; reason: 'missing' };

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

  get(id: string): ApiToken | undefined {
    return this.tokens.get(id);
  }

  /** Who bears this token at `now` (ms since the epoch). Takes the same time wherever a wrong secret differs. */
  check(text: string | undefined, now: number): TokenCheck {
    if (text === undefined) return { ok: false, reason: 'missing' };
    const id = apiTokenId(text);
    return checkApiToken(text, id === undefined ? undefined : this.tokens.get(id), now);
  }
}
