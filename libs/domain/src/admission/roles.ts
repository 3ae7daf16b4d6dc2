import type { Actor, CommandVerb, Role } from '@skerry/contracts';
import { rejected, type Rejected } from './types.js';

/** What operators may ask of sites and nodes: what can be taken back. */
const TAKEN_BACK: readonly CommandVerb[] = ['site.cordon', 'site.drain', 'site.recall', 'node.set'];

/** What a role may ask for. A viewer looks and changes nothing. */
const ALLOWED: Readonly<Record<Role, (verb: CommandVerb) => boolean>> = {
  viewer: () => false,
  operator: (verb) =>
    verb.startsWith('workload.') || verb.startsWith('dataset.') || TAKEN_BACK.includes(verb),
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
