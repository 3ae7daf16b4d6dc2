import { join } from 'node:path';
import { operatorJwt, cloudAccountJwt, systemAccountJwt } from './accounts.js';
import { makeCa, type KeyAndCertificate } from './certificates.js';
import { readSeed, writeSeed } from './creds.js';
import { NKey } from './nkey.js';
import { createPrivateFile, isThere, readPrivateFile, writePrivateFile } from './private-file.js';
import { requireName } from './server-options.js';

/**
 * The keys of one cloud, as policy holds them in its identity folder (mode 0700, files 0600):
 *
 *     operator.seed  operator-signing.seed  operator.jwt
 *     sys.seed  cloud.seed  cloud-signing.seed  sys.jwt  cloud.jwt
 *     servers-ca.crt  servers-ca.key   signs the hub's servers
 *     sites-ca.crt    sites-ca.key     signs the sites' leaf certificates
 *     sites/<site>.seed                the key of a site's account
 *
 * The operator's own key is needed only to found the cloud: in production it is moved off the machine, the signing key stays.
 */
export interface CloudIdentity {
  operatorSigning: NKey;
  operatorJwt: string;
  systemAccount: NKey;
  systemAccountJwt: string;
  cloudAccount: NKey;
  cloudSigning: NKey;
  cloudAccountJwt: string;
  serversCa: KeyAndCertificate;
  sitesCa: KeyAndCertificate;
}

/** Makes the keys of a new cloud in `folder`, which must hold none yet. `operator.jwt` is written last: with it the folder is complete. */
export async function foundCloudIdentity(
  folder: string,
  request: { name: string; nowMs: number },
): Promise<CloudIdentity> {
  const operator = NKey.create('operator');
  const operatorSigning = NKey.create('operator');
  const systemAccount = NKey.create('account');
  const cloudAccount = NKey.create('account');
  const cloudSigning = NKey.create('account');
  const issued = { issuer: operatorSigning, issuedAtMs: request.nowMs };
  const sysJwt = systemAccountJwt({ account: systemAccount.publicKey, ...issued });
  const cloudJwt = cloudAccountJwt({
    account: cloudAccount.publicKey,
    signingKeys: [cloudSigning.publicKey],
    ...issued,
  });
  const [serversCa, sitesCa] = await Promise.all([
    makeCa({ name: `${request.name} servers`, nowMs: request.nowMs }),
    makeCa({ name: `${request.name} sites`, nowMs: request.nowMs }),
  ]);
  const seeds: [string, NKey][] = [
    ['operator', operator],
    ['operator-signing', operatorSigning],
    ['sys', systemAccount],
    ['cloud', cloudAccount],
    ['cloud-signing', cloudSigning],
  ];
  for (const [name, key] of seeds) await writeSeed(join(folder, `${name}.seed`), key);
  const texts: [string, string][] = [
    ['sys.jwt', sysJwt],
    ['cloud.jwt', cloudJwt],
    ['servers-ca.crt', serversCa.certPem],
    ['servers-ca.key', serversCa.keyPem],
    ['sites-ca.crt', sitesCa.certPem],
    ['sites-ca.key', sitesCa.keyPem],
  ];
  for (const [name, text] of texts) await writePrivateFile(join(folder, name), text);
  await writePrivateFile(
    join(folder, 'operator.jwt'),
    operatorJwt({
      name: request.name,
      operator,
      signingKeys: [operatorSigning.publicKey],
      systemAccount: systemAccount.publicKey,
      issuedAtMs: request.nowMs,
    }),
  );
  return loadCloudIdentity(folder);
}

/** Reads the keys of a cloud. Throws, naming the file, when one is missing, damaged or readable by others. */
export async function loadCloudIdentity(folder: string): Promise<CloudIdentity> {
  const text = (name: string) => readPrivateFile(join(folder, name));
  const seed = (name: string) => readSeed(join(folder, `${name}.seed`));
  return {
    operatorSigning: await seed('operator-signing'),
    operatorJwt: await text('operator.jwt'),
    systemAccount: await seed('sys'),
    systemAccountJwt: await text('sys.jwt'),
    cloudAccount: await seed('cloud'),
    cloudSigning: await seed('cloud-signing'),
    cloudAccountJwt: await text('cloud.jwt'),
    serversCa: { certPem: await text('servers-ca.crt'), keyPem: await text('servers-ca.key') },
    sitesCa: { certPem: await text('sites-ca.crt'), keyPem: await text('sites-ca.key') },
  };
}

/** True when `folder` holds the complete keys of a cloud. */
export async function hasCloudIdentity(folder: string): Promise<boolean> {
  return await isThere(join(folder, 'operator.jwt'));
}

/** The key of a site's account, made and kept at its first use; all who ask at the same moment get the same. */
export async function siteAccountKey(folder: string, site: string): Promise<NKey> {
  const path = join(folder, 'sites', `${requireName('site', site)}.seed`);
  await createPrivateFile(path, `${NKey.create('account').seed()}\n`);
  return readSeed(path);
}
