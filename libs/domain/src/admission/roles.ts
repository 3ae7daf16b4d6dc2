import type { Actor, CommandVerb, Role } from '@skerry/contracts';
import { rejected, type Rejected } from './types.js';

/** What a role may ask for. A viewer looks and changes nothing. */
const ALLOWED: Readonly<Record<Role, (verb: CommandVerb) => boolean>> = {
  viewer: () => false,
  operator: (verb) => verb.startsWith('workload.') || verb === 'site.cordon',
  admin: () => true,
};

/** The refusal, when this actor may not do this. */
export function refuseRole(actor: Actor, verb: CommandVerb): Rejected | undefined {
  if (ALLOWED[actor.role](verb)) return undefined;
  const need = ALLOWED.operator(verb) ? 'operator or admin' : 'admin';
  return rejected('forbidden', `${actor.subject} has the role ${actor.role} and may not do ${verb}`, {
    hint: `ask someone with the role ${need}, or use a token that has it`,
  });
}
