import type { Access, Actor, Operation, OperatorRequest } from '@skerry/contracts';
import { refuseRole } from '../admission/roles.js';
import { rejected, type Rejected } from '../admission/types.js';

/** How far the clocks of a person's machine and of the site may be apart. */
const CLOCKS_APART_MS = 5 * 60_000;

export interface RequestCircumstances {
  site: string;
  /** What was delivered last of who may act here. */
  access: Access | undefined;
  nowMs: number;
  /** Whether the request is signed by the owner of this public key. */
  isSignedBy: (publicKey: string) => boolean;
}

/** Who asks, when that is somebody who may ask at all; or why not, and what to do. */
export function admitRequest(
  request: OperatorRequest,
  { site, access, nowMs, isSignedBy }: RequestCircumstances,
): { ok: true; actor: Actor } | Rejected {
  if (request.site !== site) return refuse(`this is site ${site}, and the request is for ${request.site}`);
  if (access === undefined) {
    return rejected('unavailable', `${site} has not been told yet who may act here`, {
      hint: 'it is told when it hears the hub for the first time',
    });
  }
  // A clock that was set back must not make what has ended count again.
  const now = Math.max(nowMs, access.generation);
  if (now >= Date.parse(access.validUntil)) return outdated(site, access);
  if (Math.abs(now - Date.parse(request.at)) > CLOCKS_APART_MS) {
    return refuse(
      `the request says it was made at ${request.at}, and here it is ${new Date(now).toISOString()}`,
      {
        hint: 'set the clocks of both machines',
      },
    );
  }
  const token = access.tokens.find(({ id }) => id === request.tokenId);
  if (token === undefined || !isSignedBy(token.publicKey)) return unknownToken(site);
  if (now >= Date.parse(token.expiresAt))
    return refuse('this token has expired', { hint: 'log in again while the hub can be reached' });
  return { ok: true, actor: { subject: token.subject, role: token.role } };
}

/** The refusal, when this actor may not do this at a site: a viewer looks and changes nothing. */
export function refuseOperation(actor: Actor, { verb }: Operation): Rejected | undefined {
  switch (verb) {
    case 'status':
    case 'logs':
    case 'logs-more':
    case 'report':
      return undefined;
    case 'stop':
    case 'start':
    case 'apply':
      return refuseRole(actor, `workload.${verb}`);
  }
}

function outdated(site: string, { validUntil }: Access): Rejected {
  return refuse(
    `what ${site} knows of who may act here counted until ${validUntil}, 24 hours after it was told last`,
    {
      hint: 'the site has to hear the hub again; what runs there goes on without',
    },
  );
}

function unknownToken(site: string): Rejected {
  return refuse(`this token is not known at ${site}`, {
    hint: 'it has to have been made by version 0.2 or later and before the site was cut off (older ones have to be made anew), and is taken from the context file or SKERRY_TOKEN',
  });
}

function refuse(title: string, more: { hint?: string } = {}): Rejected {
  return rejected('unauthorized', title, more);
}
