import { Refusal, type Role } from '@skerry/contracts';
import type { Caller } from './caller.js';

const RANKS: Record<Role, number> = { viewer: 0, operator: 1, admin: 2 };

/** Throws `Refusal` `forbidden` unless the caller has this role or a higher one. For what no command carries to policy. */
export function requireRole(role: Role, { actor }: Caller, what: string): void {
  if (RANKS[actor.role] >= RANKS[role]) return;
  throw new Refusal('forbidden', `${actor.subject} may not ${what}`, {
    hint: `it takes the role ${role}; yours is ${actor.role}`,
  });
}
