/**
 * What a new site sends to the join endpoint, over HTTPS whose certificate it checks by the pin in its join
 * line. It made both keys itself; neither leaves it.
 */
export interface JoinRequest {
  /** The single-use join token. A secret until it is used. */
  token: string;
  site: string;
  /** Public nkey of the site's user (`U…`): from now on this key is the site's identity. */
  userKey: string;
  /** PKCS#10 request for its client certificate, PEM. */
  csrPem: string;
}

/** What a renewing site sends: no token, but a challenge signed by the key it joined with. */
export interface RenewRequest {
  challenge: Challenge;
  /** base64url. */
  signature: string;
  csrPem: string;
}

/** A renewal's claim: bound to the site, to this moment and to the certificate request that goes with it. */
export interface Challenge {
  site: string;
  /** 128 random bits, hexadecimal. */
  nonce: string;
  atMs: number;
  /** SHA-256 of the `csrPem` beside it, hexadecimal: what is asked for cannot be swapped. */
  digest: string;
}

/** What a site gets at joining and at each renewal. None of it is secret. */
export interface SiteBundle {
  site: string;
  /** Public key of the site's account at the hub: its token in subjects. */
  account: string;
  userJwt: string;
  /** The site's client certificate, PEM. */
  certPem: string;
  /** The authority of the hub's servers, PEM. */
  caPem: string;
  /** `tls://host:port` of each hub server. */
  leafUrls: string[];
  /** Where to renew: `https://host:port`. */
  renewUrl: string;
  /** `sha256//…` of that endpoint's key. */
  renewPin: string;
  /** When the first of token and certificate ends, milliseconds since 1970. Renew from a third before it on. */
  expiresAtMs: number;
}
