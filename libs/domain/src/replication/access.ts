import { LIMITS, type Access, type ApiToken, type Quota, type Role, type Site } from '@skerry/contracts';

/** A site that was cut off for longer does not know whom the cloud has shut out since, so it lets nobody in. */
export const ACCESS_VALID_MS = 24 * 60 * 60_000;
/** What changes nothing is delivered anew this often, so that of those 24 hours at least 23 are left. */
export const ACCESS_RENEW_MS = 60 * 60_000;

export interface AccessInput {
  site: Site;
  tokens: Iterable<ApiToken>;
  quotas: Iterable<Quota>;
  /** Of which something is wanted at the site: of others it is told nothing. */
  projects: ReadonlySet<string>;
  /** What lies there for the site. */
  there: Access | undefined;
  nowMs: number;
}

/** What a site is to know of who may act there without the hub, when that is new or due again; undefined when what lies there will do. */
export function accessFor(input: AccessInput): Access | undefined {
  const { site, there, nowMs } = input;
  const rules = rulesOf(input);
  if (there !== undefined && isFresh(there, nowMs) && same(rules, there)) return undefined;
  // The clock of an instance before this one may have been ahead.
  const issuedMs = Math.max(nowMs, (there?.generation ?? 0) + 1);
  return {
    kind: 'Access',
    site: site.name,
    generation: issuedMs,
    issuedAt: new Date(issuedMs).toISOString(),
    validUntil: new Date(nowMs + ACCESS_VALID_MS).toISOString(),
    ...rules,
  };
}

function isFresh(there: Access, nowMs: number): boolean {
  return nowMs - there.generation < ACCESS_RENEW_MS;
}

type Rules = Pick<Access, 'tokens' | 'place' | 'quotas' | 'moreQuotas'>;

/** Tokens first: within the bytes that one site is told, who may act there counts for more than quotas. */
function rulesOf(input: AccessInput): Rules {
  const tokens = fitting(tokensOf(input), LIMITS.accessBytes);
  const all = [...input.quotas];
  const here = quotasOf(all.filter(({ project }) => input.projects.has(project)));
  const quotas = fitting(here, LIMITS.accessBytes - bytesOf(tokens));
  return {
    tokens,
    place: placeOf(input.site),
    quotas,
    ...(quotas.length < all.length ? { moreQuotas: true } : {}),
  };
}

/** As many of the first as fit. */
function fitting<T>(all: readonly T[], most: number): T[] {
  let bytes = 0;
  const end = all.findIndex((one) => (bytes += bytesOf(one) + 1) > most);
  return end < 0 ? [...all] : all.slice(0, end);
}

const bytesOf = (value: unknown) => new TextEncoder().encode(JSON.stringify(value)).length;

const RANK: Readonly<Record<Role, number>> = { admin: 0, operator: 1, viewer: 2 };

/** Of more tokens than fit, those that may change most, and of these those that last longest. */
function tokensOf({ tokens, nowMs }: AccessInput): Access['tokens'] {
  const living = [...tokens].flatMap(({ id, offlineKey, subject, role, expiresAt }) =>
    offlineKey === undefined || Date.parse(expiresAt) <= nowMs
      ? []
      : [{ id, publicKey: offlineKey, subject, role, expiresAt }],
  );
  return living
    .toSorted(
      (a, b) => RANK[a.role] - RANK[b.role] || compare(b.expiresAt, a.expiresAt) || compare(a.id, b.id),
    )
    .slice(0, LIMITS.accessTokens);
}

function placeOf({ name, kind, jurisdictions, provider, labels }: Site): Access['place'] {
  return { name, kind, jurisdictions, provider, labels };
}

function quotasOf(quotas: Iterable<Quota>): Access['quotas'] {
  return [...quotas]
    .map(({ requestId: _requestId, commandSequence: _commandSequence, ...quota }) => quota)
    .toSorted((a, b) => compare(a.project, b.project))
    .slice(0, LIMITS.accessQuotas);
}

function same(rules: Rules, there: Access): boolean {
  const text = ({ tokens, place, quotas, moreQuotas }: Rules) =>
    JSON.stringify([tokens, placeInOrder(place), quotas, moreQuotas === true]);
  return text(rules) === text(there);
}

function placeInOrder({ name, kind, jurisdictions, provider, labels }: Access['place']): Access['place'] {
  return { name, kind, jurisdictions, provider, labels };
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
