import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { joinAnswerSchema, parse } from '@skerry/contracts';
import { decodeJwt, readCreds, readSeed, signRenewal, writeCreds, writePrivateFile } from '@skerry/identity';
import type { LeafServer } from '../leaf/leaf-server.js';
import { reason } from '../log.js';
import type { NodeAgent } from '../node-agent.js';
import { certificateRequest } from './certificate-request.js';
import { askPinned, problemText } from './pinned-https.js';

/** A first look soon after the start: the machine may have been off for longer than its token lives. */
const FIRST_MS = 100;
const RETRY_MS = 5_000;
const MAX_RETRY_MS = 60_000;
const MAX_WAIT_MS = 12 * 60 * 60_000;

/**
 * Renews the site's token and certificate at half of their life, by a request signed with the key it joined with.
 * A site that was cut off for longer than they live comes back by the same way, unless it was revoked.
 */
export function startRenewal(agent: NodeAgent, server: LeafServer | undefined): { stop(): void } {
  const { renew } = agent.site;
  if (renew === undefined) return { stop: () => undefined };
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let failures = 0;
  const later = (afterMs: number) => {
    if (!stopped) timer = setTimeout(() => void look(), Math.min(afterMs, MAX_WAIT_MS)).unref();
  };
  const look = async () => {
    try {
      const due = await dueAt(agent);
      if (Date.now() < due.at) return later(due.at - Date.now());
      await renewNow(agent, renew, due.certificate, server);
      failures = 0;
      later(FIRST_MS);
    } catch (error) {
      failures++;
      agent.log.warn('credentials were not renewed', { reason: reason(error) });
      later(Math.min(RETRY_MS * 2 ** Math.min(failures, 10), MAX_RETRY_MS));
    }
  };
  later(FIRST_MS);
  return {
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

/** When half of the life of the token, or of the certificate, is over. */
async function dueAt(agent: NodeAgent): Promise<{ at: number; certificate: boolean }> {
  const { jwt } = await readCreds(agent.places.leafCreds);
  const read = decodeJwt(jwt);
  if (!read.ok) throw new Error(`the token of this site cannot be read: ${read.reason}`);
  const { issuedAtMs, expiresAtMs } = read.claims;
  const token = expiresAtMs === undefined ? Infinity : halfway(issuedAtMs, expiresAtMs);
  const pem = new X509Certificate(await readFile(join(agent.places.tls, 'leaf.crt')));
  const certificate = halfway(Date.parse(pem.validFrom), Date.parse(pem.validTo));
  return { at: Math.min(token, certificate), certificate: certificate <= Date.now() };
}

function halfway(from: number, to: number): number {
  return from + (to - from) / 2;
}

async function renewNow(
  agent: NodeAgent,
  renew: { url: string; pin: string },
  withCertificate: boolean,
  server: LeafServer | undefined,
): Promise<void> {
  const { places, site, log } = agent;
  const user = await readSeed(places.userSeed);
  const keyPem = await readFile(join(places.tls, 'leaf.key'), 'utf8');
  const csr = withCertificate ? certificateRequest(site.site, keyPem) : undefined;
  const json = signRenewal(user, { site: site.site, nowMs: Date.now(), csr });
  const answer = await askPinned(new URL(renew.url), { pin: renew.pin, method: 'POST', json });
  if (answer.status !== 200) throw new Error(`renew at ${renew.url}: ${problemText(answer)}`);
  const parsed = parse(joinAnswerSchema, JSON.parse(answer.body.toString('utf8')));
  if (!parsed.ok) throw new Error(`renew at ${renew.url}: an answer that is none`);
  // The server reads the token at its next connect; a certificate only when it starts.
  await writeCreds(places.leafCreds, parsed.value.userJwt, user);
  if (withCertificate) {
    await writePrivateFile(join(places.tls, 'leaf.crt'), parsed.value.certificate);
    await server?.restart();
  }
  log.info('credentials renewed', { certificate: withCertificate });
}
