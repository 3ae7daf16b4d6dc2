import type { ConfBlock } from './conf-text.js';

/** Files of one side of a TLS connection, absolute paths. */
export interface TlsFiles {
  certFile: string;
  keyFile: string;
  /** The authority that the other side's certificate must come from. */
  caFile: string;
}

/** Where a server listens. */
export interface Listen {
  /** An address of this machine; `127.0.0.1` keeps it local. */
  host: string;
  /** 1 to 65535. */
  port: number;
}

/** Bounds of a server's JetStream. */
export interface JetStreamBounds {
  storeDir: string;
  maxMemoryBytes: number;
  maxFileBytes: number;
}

/** A handshake of a thousand sites after a hub restart takes seconds: with the default 2 s it never settles. */
export const LEAF_HANDSHAKE_TIMEOUT_S = 15;
/** Largest message on the bus, bytes. */
export const MAX_PAYLOAD_BYTES = 1_048_576;
/** A client's login is one line and holds its token, which lists the user's subjects: several KiB for some apps. */
export const MAX_CONTROL_LINE_BYTES = 32_768;
const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** Settings that hub and site servers share: small limits, and dead links noticed within about 6 s. */
export function commonSettings(options: {
  serverName: string;
  client: Listen;
  monitoring?: Listen | undefined;
  pidFile?: string | undefined;
  logFile?: string | undefined;
}): ConfBlock {
  return {
    server_name: requireName('server name', options.serverName),
    listen: listenText(options.client),
    http: options.monitoring === undefined ? undefined : listenText(options.monitoring),
    pid_file: options.pidFile,
    log_file: options.logFile,
    max_payload: MAX_PAYLOAD_BYTES,
    max_control_line: MAX_CONTROL_LINE_BYTES,
    ping_interval: '2s',
    ping_max: 2,
    // Version 2 of the flow control subject is not what the accounts' exports name.
    feature_flags: { js_ack_fc_v2: false },
  };
}

/** JetStream whose acknowledged writes are on the disk, not only in the page cache. */
export function jetStreamSettings(domain: string, bounds: JetStreamBounds): ConfBlock {
  return {
    store_dir: bounds.storeDir,
    domain: requireName('JetStream domain', domain),
    max_mem: bounds.maxMemoryBytes,
    max_file: bounds.maxFileBytes,
    sync_interval: 'always',
  };
}

/** TLS 1.3 in which the first byte is already encrypted. */
export function tlsSettings(files: TlsFiles): ConfBlock {
  return {
    cert_file: files.certFile,
    key_file: files.keyFile,
    ca_file: files.caFile,
    min_version: '1.3',
    handshake_first: true,
  };
}

/** `host:port`, with brackets around an IPv6 address. */
export function listenText({ host, port }: Listen): string {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error(`not a port: ${port}`);
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Throws unless the text is lower-case letters, digits and inner hyphens, at most 63: it becomes a subject token. */
export function requireName(what: string, text: string): string {
  if (!NAME.test(text)) {
    throw new Error(
      `${what} ${JSON.stringify(text.slice(0, 80))}: wanted are 1 to 63 of a-z, 0-9 and inner hyphens`,
    );
  }
  return text;
}
