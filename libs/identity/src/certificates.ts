import { createPrivateKey, createPublicKey, createHash, generateKeyPairSync, webcrypto } from 'node:crypto';
import { X509Certificate as ParsedCertificate } from 'node:crypto';
import { isIP } from 'node:net';

const DAY_MS = 86_400_000;
/** Clocks of two machines may differ by this much before a fresh certificate is refused as not yet valid. */
const CLOCK_SKEW_MS = 5 * 60_000;
const MAX_CSR_CHARACTERS = 8_192;
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' };
const P256 = { name: 'ECDSA', namedCurve: 'P-256' };

/** An authority, or a server with its key. Both parts are PEM; the key is a secret (PKCS#8, P-256). */
export interface KeyAndCertificate {
  certPem: string;
  keyPem: string;
}

interface Validity {
  nowMs: number;
  /** Counted from now; the certificate never outlives its authority. */
  days?: number;
}

/** A new certificate authority that signs leaf certificates only. Default validity ten years. */
export async function makeCa(request: Validity & { name: string }): Promise<KeyAndCertificate> {
  const x509 = await loadX509();
  const keyPem = makePrivateKey();
  const keys = await importKeys(keyPem);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: distinguishedName(request.name),
    keys,
    signingAlgorithm: SIGNING,
    ...validity(request, request.days ?? 3_650),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certPem: pem(certificate), keyPem };
}

/**
 * A certificate and key for a hub server or the join endpoint: serves, and dials its fellow servers. Default 365
 * days. Give `keyPem` to certify a key again: sites pin the key, not the certificate.
 */
export async function issueServerCertificate(
  ca: KeyAndCertificate,
  request: Validity & {
    name: string;
    dnsNames?: readonly string[];
    ipAddresses?: readonly string[];
    keyPem?: string;
  },
): Promise<KeyAndCertificate> {
  const x509 = await loadX509();
  const keyPem = request.keyPem ?? makePrivateKey();
  for (const address of request.ipAddresses ?? []) {
    if (isIP(address) === 0) throw new Error(`not an IP address: ${address}`);
  }
  const names = [
    ...(request.dnsNames ?? []).map((value) => ({ type: 'dns' as const, value })),
    ...(request.ipAddresses ?? []).map((value) => ({ type: 'ip' as const, value })),
  ];
  if (names.length === 0) throw new Error('a server certificate needs a DNS name or an IP address');
  const certPem = await issue(ca, {
    ...request,
    days: request.days ?? 365,
    publicKey: (await importKeys(keyPem)).publicKey,
    purposes: [x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth],
    extensions: [new x509.SubjectAlternativeNameExtension(names)],
  });
  return { certPem, keyPem };
}

/** A new P-256 private key, PEM (PKCS#8). A site makes its own and never sends it anywhere. */
export function makePrivateKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** The request (PKCS#10, PEM) with which a site asks for its certificate. */
export async function makeCertificateRequest(request: { site: string; keyPem: string }): Promise<string> {
  const x509 = await loadX509();
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({
    name: distinguishedName(request.site),
    keys: await importKeys(request.keyPem),
    signingAlgorithm: SIGNING,
  });
  return `${csr.toString('pem')}\n`;
}

/**
 * A site's client certificate for the leaf connection. Only the key is taken from the request: the name is
 * what the caller says, and the certificate can dial but not serve, so that a site cannot pose as a hub.
 * Throws when the request is damaged, not signed by its own key, or its key is not P-256. Default 90 days.
 */
export async function issueSiteCertificate(
  ca: KeyAndCertificate,
  request: Validity & { site: string; csrPem: string },
): Promise<string> {
  const x509 = await loadX509();
  const publicKey = await readCertificateRequest(request.csrPem);
  return await issue(ca, {
    ...request,
    name: request.site,
    days: request.days ?? 90,
    publicKey,
    purposes: [x509.ExtendedKeyUsage.clientAuth],
    extensions: [],
  });
}

/** `sha256//<base64>` of the certificate's public key, in the form that `curl --pinnedpubkey` takes. */
export function spkiPin(certPem: string): string {
  const spki = new ParsedCertificate(certPem).publicKey.export({ type: 'spki', format: 'der' });
  return `sha256//${createHash('sha256').update(spki).digest('base64')}`;
}

/** The moment at which the certificate ends, milliseconds since 1970. */
export function certificateExpiryMs(certPem: string): number {
  return Date.parse(new ParsedCertificate(certPem).validTo);
}

/** Whether the authority signed the certificate. Says nothing of its validity in time. */
export function isIssuedBy(certPem: string, caPem: string): boolean {
  const [certificate, ca] = [new ParsedCertificate(certPem), new ParsedCertificate(caPem)];
  return certificate.checkIssued(ca) && certificate.verify(ca.publicKey);
}

interface IssueRequest extends Validity {
  name: string;
  days: number;
  publicKey: webcrypto.CryptoKey;
  purposes: string[];
  extensions: InstanceType<Awaited<ReturnType<typeof loadX509>>['Extension']>[];
}

async function issue(ca: KeyAndCertificate, request: IssueRequest): Promise<string> {
  const x509 = await loadX509();
  const authority = new x509.X509Certificate(ca.certPem);
  const { notBefore, notAfter } = validity(request, request.days);
  const certificate = await x509.X509CertificateGenerator.create({
    subject: distinguishedName(request.name),
    issuer: authority.subjectName.toJSON(),
    publicKey: request.publicKey,
    signingKey: (await importKeys(ca.keyPem)).privateKey,
    signingAlgorithm: SIGNING,
    notBefore,
    notAfter: notAfter < authority.notAfter ? notAfter : authority.notAfter,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(request.purposes),
      await x509.SubjectKeyIdentifierExtension.create(request.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(authority),
      ...request.extensions,
    ],
  });
  return pem(certificate);
}

async function readCertificateRequest(csrPem: string): Promise<webcrypto.CryptoKey> {
  const x509 = await loadX509();
  if (csrPem.length > MAX_CSR_CHARACTERS) throw new Error('the certificate request is too long');
  const csr = await attempt('read the certificate request', () => new x509.Pkcs10CertificateRequest(csrPem));
  const key = await attempt('read the key of the certificate request', async () => {
    return await csr.publicKey.export(P256, ['verify']);
  });
  const signed = await attempt('check the certificate request', async () => await csr.verify());
  if (!signed) throw new Error('the certificate request is not signed by its own key');
  return key;
}

async function attempt<T>(what: string, run: () => T | Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    throw new Error(what, { cause });
  }
}

/** Loaded at the first use: the library costs memory that an idle agent does not have to spend. */
async function loadX509(): Promise<typeof import('@peculiar/x509')> {
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  x509.cryptoProvider.set(webcrypto);
  return x509;
}

async function importKeys(keyPem: string): Promise<webcrypto.CryptoKeyPair> {
  const key = createPrivateKey(keyPem);
  const pkcs8 = key.export({ type: 'pkcs8', format: 'der' });
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const { subtle } = webcrypto;
  return {
    privateKey: await subtle.importKey('pkcs8', pkcs8, P256, false, ['sign']),
    publicKey: await subtle.importKey('spki', spki, P256, true, ['verify']),
  };
}

/** In the structured form, in which no character of the name can start another part. */
function distinguishedName(name: string): { O?: string[]; CN?: string[] }[] {
  return [{ O: ['Skerry'] }, { CN: [name] }];
}

function validity({ nowMs }: Validity, days: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(nowMs - CLOCK_SKEW_MS), notAfter: new Date(nowMs + days * DAY_MS) };
}

function pem(certificate: { toString(format: 'pem'): string }): string {
  return `${certificate.toString('pem')}\n`;
}
