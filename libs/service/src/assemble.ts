import { Controller, Get, Inject, Module, Res, type DynamicModule, type Type } from '@nestjs/common';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Bus } from '@skerry/bus';
import type { FastifyReply, FastifyServerOptions } from 'fastify';
import { Roles } from './active-role.js';
import type { BusStrategy } from './bus-strategy.js';
import { healthAnswer, portTaken } from './health-server.js';
import { JsonLog } from './json-log.js';
import { PassErrorFilter } from './pass-error.filter.js';
import { Readiness } from './readiness.js';
import { BUS, CONFIG } from './tokens.js';

/** Where a service with HTTP controllers listens. */
export interface HttpAddress {
  host: string;
  port: number;
  /** Options of the Fastify server, such as its body limit. */
  fastify?: FastifyServerOptions;
  /** Called before it listens, to set parsers, filters and guards. */
  prepare?: (app: NestFastifyApplication) => void | Promise<void>;
}

/** What a service's Nest application is put together from. */
export interface Parts {
  module: Type;
  bus: Bus;
  config: object;
  readiness: Readiness;
  roles: Roles;
  log: JsonLog;
  strategy: BusStrategy;
  address?: HttpAddress;
}

/** A running application, and what ends the connections of clients that do not go by themselves. */
export interface Assembled {
  app: INestApplicationContext;
  cutConnections(): void;
}

/** Builds the Nest application: the service's module with the chassis' providers, everything heard. Rejects instead of ending the process. */
export async function assemble(parts: Parts): Promise<Assembled> {
  const root = rootModule(parts);
  return parts.address ? withHttp(root, parts, parts.address) : busOnly(root, parts);
}

@Module({})
class ServiceRoot {}

function rootModule(parts: Parts): DynamicModule {
  const providers = [
    { provide: BUS, useValue: parts.bus },
    { provide: CONFIG, useValue: parts.config },
    { provide: Readiness, useValue: parts.readiness },
    { provide: Roles, useValue: parts.roles },
    { provide: JsonLog, useValue: parts.log },
  ];
  return {
    module: ServiceRoot,
    global: true,
    imports: [parts.module],
    controllers: parts.address ? [HealthController] : [],
    providers,
    exports: providers.map((p) => p.provide),
  };
}

async function busOnly(root: DynamicModule, { strategy, log }: Parts): Promise<Assembled> {
  const app = await NestFactory.createMicroservice(root, {
    strategy,
    logger: log,
    abortOnError: false,
  });
  app.useGlobalFilters(new PassErrorFilter());
  await app.listen();
  return { app, cutConnections: () => undefined };
}

async function withHttp(
  root: DynamicModule,
  { strategy, log }: Parts,
  { host, port, fastify, prepare }: HttpAddress,
): Promise<Assembled> {
  // Loaded by the one service that serves HTTP: it costs the others 8 MiB and a tenth of a second.
  const { FastifyAdapter } = await import('@nestjs/platform-fastify');
  const adapter = new FastifyAdapter({ forceCloseConnections: 'idle', ...fastify });
  const app = await NestFactory.create<NestFastifyApplication>(root, adapter, {
    logger: log,
    abortOnError: false,
  });
  // Without deferring, Nest builds the handlers at once and ignores the filter.
  const microservice = app.connectMicroservice({ strategy }, { deferInitialization: true });
  microservice.useGlobalFilters(new PassErrorFilter());
  await prepare?.(app);
  await app.startAllMicroservices();
  await app.listen(port, host).catch((cause: unknown) => {
    throw portTaken(`${host}:${port}`, cause);
  });
  return { app, cutConnections: () => adapter.getHttpServer().closeAllConnections() };
}

@Controller()
class HealthController {
  constructor(@Inject(Readiness) private readonly readiness: Readiness) {}

  @Get('healthz')
  alive(@Res() reply: FastifyReply): void {
    this.answer(reply, '/healthz');
  }

  @Get('readyz')
  ready(@Res() reply: FastifyReply): void {
    this.answer(reply, '/readyz');
  }

  private answer(reply: FastifyReply, path: string): void {
    const { status, body } = healthAnswer(this.readiness, path);
    void reply.status(status).send(body);
  }
}
