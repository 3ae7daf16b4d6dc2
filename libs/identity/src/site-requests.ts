import { signedText, type OperatorRequest } from '@skerry/contracts';
import { apiTokenKey } from './api-token.js';
import { verifySignature } from './nkey.js';

/** Signs a request to a site with the key of a token; undefined when the text is no api token. */
export function signSiteRequest(
  token: string,
  request: Omit<OperatorRequest, 'tokenId' | 'signature'>,
): OperatorRequest | undefined {
  const signer = apiTokenKey(token);
  if (signer === undefined) return undefined;
  const unsigned = { ...request, tokenId: signer.id };
  return { ...unsigned, signature: signer.key.sign(signedText(unsigned)).toString('base64url') };
}

/** Whether the bearer of the token with this public key has made exactly this request. */
export function isSignedBy(request: OperatorRequest, publicKey: string): boolean {
  return verifySignature(publicKey, signedText(request), Buffer.from(request.signature, 'base64url'));
}
