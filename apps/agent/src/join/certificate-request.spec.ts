import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { isIssuedBy, issueSiteCertificate, makeCa, makePrivateKey } from '@skerry/identity';
import { certificateRequest } from './certificate-request.js';

describe('a certificate request', () => {
  it('is what an authority takes, and gets a certificate for its own key', async () => {
    const nowMs = Date.now();
    const keyPem = makePrivateKey();
    const ca = await makeCa({ name: 'sites', nowMs });
    // Long enough for lengths of two bytes.
    const csrPem = certificateRequest('x'.repeat(64), keyPem);
    const certificate = await issueSiteCertificate(ca, { site: 's1', csrPem, nowMs });
    expect(isIssuedBy(certificate, ca.certPem)).toBe(true);
    const { createPrivateKey } = await import('node:crypto');
    expect(new X509Certificate(certificate).checkPrivateKey(createPrivateKey(keyPem))).toBe(true);
  });

  it('is refused when it was changed', async () => {
    const nowMs = Date.now();
    const ca = await makeCa({ name: 'sites', nowMs });
    const [head = '', ...rest] = certificateRequest('joining', makePrivateKey()).trim().split('\n');
    const bytes = Buffer.from(rest.slice(0, -1).join(''), 'base64');
    // The signature is at the end.
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 5) ^ 1, bytes.length - 5);
    const changed = [head, ...(bytes.toString('base64').match(/.{1,64}/g) ?? []), rest.at(-1)].join('\n');
    await expect(issueSiteCertificate(ca, { site: 's1', csrPem: changed, nowMs })).rejects.toThrow(
      /not signed by its own key|read the/,
    );
  });
});
