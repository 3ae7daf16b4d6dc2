import 'reflect-metadata';
import { X509Certificate, createHash, createPrivateKey, webcrypto } from 'node:crypto';
import { Pkcs10CertificateRequestGenerator, cryptoProvider } from '@peculiar/x509';
import { beforeAll, describe, expect, test } from '@jest/globals';
import {
  certificateExpiryMs,
  isIssuedBy,
  issueServerCertificate,
  issueSiteCertificate,
  makeCa,
  makeCertificateRequest,
  makePrivateKey,
  spkiPin,
  type KeyAndCertificate,
} from './certificates.js';

const AT = Date.now();
const DAY_MS = 86_400_000;
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';

const P384 = { name: 'ECDSA', namedCurve: 'P-384' };
const RSA = {
  name: 'RSASSA-PKCS1-v1_5',
  modulusLength: 2_048,
  publicExponent: Uint8Array.of(1, 0, 1),
  hash: 'SHA-256',
};

let ca: KeyAndCertificate;
beforeAll(async () => {
  ca = await makeCa({ name: 'sites', nowMs: AT });
});

describe('certificates', () => {
  test('a server is certified for its names and addresses, to serve and to dial', async () => {
    const names = { dnsNames: ['hub.example.org'], ipAddresses: ['192.0.2.7', '2001:db8::7'] };
    const { certPem, keyPem } = await issueServerCertificate(ca, { name: 'hub-1', nowMs: AT, ...names });
    const certificate = new X509Certificate(certPem);
    expect(certificate.checkHost('hub.example.org')).toBe('hub.example.org');
    expect(certificate.checkIP('192.0.2.7')).toBe('192.0.2.7');
    expect(certificate.checkHost('other.example.org')).toBeUndefined();
    expect(certificate.keyUsage).toEqual(expect.arrayContaining([SERVER_AUTH, CLIENT_AUTH]));
    expect(certificate.ca).toBe(false);
    expect(isIssuedBy(certPem, ca.certPem)).toBe(true);
    expect(keyPem).toContain('PRIVATE KEY');
  });

  test('a site is certified to dial only: it cannot pose as a server', async () => {
    const csrPem = await makeCertificateRequest({ site: 'eu-de', keyPem: makePrivateKey() });
    const certPem = await issueSiteCertificate(ca, { site: 'eu-de', csrPem, nowMs: AT });
    const certificate = new X509Certificate(certPem);
    expect(certificate.keyUsage).toEqual([CLIENT_AUTH]);
    expect(certificate.subject).toBe('O=Skerry\nCN=eu-de');
    expect(certificate.ca).toBe(false);
  });

  test('the name is what the issuer says, whatever the request says', async () => {
    const csrPem = await makeCertificateRequest({ site: 'us-east, O=Evil', keyPem: makePrivateKey() });
    const certPem = await issueSiteCertificate(ca, { site: 'eu-de', csrPem, nowMs: AT });
    expect(new X509Certificate(certPem).subject).toBe('O=Skerry\nCN=eu-de');
  });

  test('certifies the key of the request, which never leaves the site', async () => {
    const keyPem = makePrivateKey();
    const csrPem = await makeCertificateRequest({ site: 'eu-de', keyPem });
    expect(csrPem).not.toContain('PRIVATE');
    const certPem = await issueSiteCertificate(ca, { site: 'eu-de', csrPem, nowMs: AT });
    expect(new X509Certificate(certPem).checkPrivateKey(createPrivateKey(keyPem))).toBe(true);
  });

  test('refuses a request that is damaged, altered, too long, or whose key is of another kind', async () => {
    const csrPem = await makeCertificateRequest({ site: 'eu-de', keyPem: makePrivateKey() });
    const der = Buffer.from(csrPem.replaceAll(/-----.*-----|\s/g, ''), 'base64');
    der[der.length - 1] = (der.at(-1) ?? 0) ^ 1;
    const altered = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----`;
    for (const wrong of [altered, 'nonsense', '', csrPem.slice(0, 90), 'x'.repeat(9_000)]) {
      const issued = issueSiteCertificate(ca, { site: 'eu-de', csrPem: wrong, nowMs: AT });
      await expect(issued).rejects.toThrow(/certificate request/);
    }
    for (const algorithm of [P384, RSA]) {
      const issued = issueSiteCertificate(ca, {
        site: 'eu-de',
        csrPem: await requestOf(algorithm),
        nowMs: AT,
      });
      await expect(issued).rejects.toThrow(/key of the certificate request/);
    }
  });

  test('no certificate outlives its authority', async () => {
    const short = await makeCa({ name: 'short', nowMs: AT, days: 1 });
    const server = { name: 'hub', dnsNames: ['hub'], nowMs: AT, days: 365 };
    const { certPem } = await issueServerCertificate(short, server);
    expect(certificateExpiryMs(certPem)).toBe(certificateExpiryMs(short.certPem));
    expect(Math.abs(certificateExpiryMs(short.certPem) - AT - DAY_MS)).toBeLessThan(2_000);
  });

  test('one authority does not vouch for what another issued', async () => {
    const other = await makeCa({ name: 'sites', nowMs: AT });
    const { certPem } = await issueServerCertificate(other, { name: 'hub', dnsNames: ['hub'], nowMs: AT });
    expect(isIssuedBy(certPem, ca.certPem)).toBe(false);
    expect(isIssuedBy(certPem, other.certPem)).toBe(true);
  });

  test('a server needs a name, and its addresses must be addresses', async () => {
    await expect(issueServerCertificate(ca, { name: 'hub', nowMs: AT })).rejects.toThrow(/DNS name or/);
    const wrong = issueServerCertificate(ca, { name: 'hub', nowMs: AT, ipAddresses: ['hub'] });
    await expect(wrong).rejects.toThrow(/not an IP address/);
  });

  test('the pin is the digest of the public key, as curl takes it', async () => {
    const { certPem } = await issueServerCertificate(ca, { name: 'hub', dnsNames: ['hub'], nowMs: AT });
    const spki = new X509Certificate(certPem).publicKey.export({ type: 'spki', format: 'der' });
    expect(spkiPin(certPem)).toBe(`sha256//${createHash('sha256').update(spki).digest('base64')}`);
  });
});

async function requestOf(algorithm: typeof P384 | typeof RSA): Promise<string> {
  cryptoProvider.set(webcrypto);
  const keys = await webcrypto.subtle.generateKey(algorithm, false, ['sign', 'verify']);
  const signingAlgorithm = { name: algorithm.name, hash: 'SHA-256' };
  return (await Pkcs10CertificateRequestGenerator.create({ keys, signingAlgorithm })).toString('pem');
}
