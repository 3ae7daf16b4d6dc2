import { once } from 'node:events';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { Refusal } from '@skerry/contracts';
import { spkiPin } from '@skerry/identity';
import { CONFIG, JsonLog } from '@skerry/service';
import { z } from 'zod';
import type { ApiConfig } from '../config.js';
import { JoinRequests } from './join-requests.js';

/** Connections at once. */
const MAX_CONNECTIONS = 128;
/** Remembers in the TLS folder where the endpoint was opened, so that sites can renew after a restart. */
const REMEMBERED = 'join-endpoint.json';
const rememberedSchema = z.strictObject({ address: z.string().max(255) });
const ADDRESS = /^(?:\[([0-9a-fA-F:]{2,45})\]|([-A-Za-z0-9.]{1,253}))(?::(\d{1,5}))?$/;

export interface OpenEndpoint {
  /** `https://host:port`. */
  url: string;
  /** `sha256//…` of its public key, in the form of `curl --pinnedpubkey`. */
  pin: string;
}

/** The HTTPS listener at which new machines join and sites renew: closed until somebody asks for it. */
@Injectable()
export class JoinEndpoint implements OnApplicationBootstrap, OnModuleDestroy {
  private server: Server | undefined;
  private opened: (OpenEndpoint & { address: string }) | undefined;

  constructor(
    @Inject(CONFIG) private readonly config: ApiConfig,
    @Inject(JoinRequests) private readonly requests: JoinRequests,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  /** Opens again where it was open before. A failure is logged: the api itself does not depend on it. */
  async onApplicationBootstrap(): Promise<void> {
    const address = this.config.joinHost ?? (await this.remembered());
    if (address === undefined || this.config.tlsDir === undefined) return;
    await this.open(address).catch((error: unknown) =>
      this.log.error(`the join endpoint could not open at ${address}`, error),
    );
  }

  /**
   * Opens at `address` (`host` or `host:port`, reachable from new machines), or answers where it is open. Throws
   * `Refusal` when no address is known or it cannot be listened on.
   */
  async open(address: string | undefined): Promise<OpenEndpoint> {
    if (this.opened && (address === undefined || address === this.opened.address)) return this.opened;
    if (address === undefined) throw noAddress();
    const { host, port } = parseAddress(address, this.config.joinPort);
    const { cert, key } = await this.certificate();
    await this.close();
    const server = createServer({
      cert,
      key,
      minVersion: 'TLSv1.3',
      requestTimeout: 15_000,
      headersTimeout: 10_000,
    });
    server.maxConnections = MAX_CONNECTIONS;
    const at = await listen(server, host, port);
    const url = `https://${isIP(host) === 6 ? `[${host}]` : host}:${at}`;
    server.on('request', (request, response) => void this.requests.handle(request, response, url));
    this.server = server;
    this.opened = { address, url, pin: spkiPin(cert) };
    this.log.log('the join endpoint is open', { url });
    await this.remember(address);
    return this.opened;
  }

  async onModuleDestroy(): Promise<void> {
    await this.close();
  }

  private async close(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    this.opened = undefined;
    if (!server) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  private async certificate(): Promise<{ cert: string; key: string }> {
    const { tlsDir } = this.config;
    if (tlsDir === undefined) {
      throw new Refusal('unavailable', 'this api has no certificate for a join endpoint', {
        hint: 'set SKERRY_TLS_DIR to a folder with join.crt and join.key, and start it again',
      });
    }
    for (const name of ['join', 'hub']) {
      const [cert, key] = await Promise.all(
        ['crt', 'key'].map((end) => readText(join(tlsDir, `${name}.${end}`))),
      );
      if (cert !== undefined && key !== undefined) return { cert, key };
    }
    throw new Refusal('unavailable', 'this api has no certificate for a join endpoint', {
      hint: 'the folder in SKERRY_TLS_DIR holds neither join.crt with join.key nor hub.crt with hub.key',
    });
  }

  private async remembered(): Promise<string | undefined> {
    const text =
      this.config.tlsDir === undefined ? undefined : await readText(join(this.config.tlsDir, REMEMBERED));
    if (text === undefined) return undefined;
    try {
      return rememberedSchema.parse(JSON.parse(text)).address;
    } catch {
      return undefined;
    }
  }

  private async remember(address: string): Promise<void> {
    if (this.config.tlsDir === undefined || address === this.config.joinHost) return;
    const path = join(this.config.tlsDir, REMEMBERED);
    try {
      await writeFile(`${path}.new`, JSON.stringify({ address }), { mode: 0o600 });
      await rename(`${path}.new`, path);
    } catch (error) {
      this.log.warn('cannot remember the join endpoint: after a restart it has to be opened again', error);
    }
  }
}

async function listen(server: Server, host: string, port: number): Promise<number> {
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    const hints: Record<string, string> = {
      EADDRINUSE: `port ${port} is taken: give another with --address ${host}:PORT`,
      EADDRNOTAVAIL: `${host} is no address of the machine that api runs on (\`ip address\` lists them)`,
      ENOTFOUND: `${host} is not known as a name`,
      EACCES: `port ${port} may not be used: give one above 1023`,
    };
    throw new Refusal('invalid', `the join endpoint cannot open at ${host}:${port}`, {
      issues: [{ path: 'address', problem: code || 'cannot be listened on', value: host }],
      hint: hints[code] ?? 'give an address of this machine that the new one can reach',
    });
  }
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}

function parseAddress(text: string, defaultPort: number): { host: string; port: number } {
  const [, v6, name, port] = ADDRESS.exec(text) ?? [];
  const host = v6 ?? name;
  const number = port === undefined ? defaultPort : Number(port);
  if (host !== undefined && (v6 === undefined || isIP(v6) === 6) && number <= 65_535)
    return { host, port: number };
  throw new Refusal('invalid', 'this is no address', {
    issues: [
      {
        path: 'address',
        problem: 'not allowed',
        value: text.slice(0, 120),
        allowed: 'a host name or IP address, with :PORT where wanted',
      },
    ],
  });
}

function noAddress(): Refusal {
  return new Refusal('invalid', 'no way in: the join endpoint is not open', {
    issues: [
      {
        path: 'address',
        problem: 'missing',
        allowed: 'an address of this machine that the new one can reach',
      },
    ],
    hint: 'name it, for example `skerry site add NAME … --address 192.0.2.7`',
  });
}

function readText(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}
