import {
  Controller,
  Delete,
  Get,
  HttpCode,
  Inject,
  Param,
  Post,
  Query,
  Req,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { addSiteSchema } from '@skerry/contracts';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { SendCommand } from './handlers/send-command.js';
import { SiteAdmin } from './handlers/site-admin.js';
import { Asked, type Caller } from './http/caller.js';
import { flagSchema, readInput, readJsonBody, sitePathSchema } from './http/read-input.js';
import { FleetStore } from './stores/fleet.store.js';
import { TraceInterceptor } from './http/request-trace.js';
import { TokenGuard } from './http/token.guard.js';

/** Sites and nodes over HTTP. */
@Controller('v1')
@UseGuards(TokenGuard)
@UseInterceptors(TraceInterceptor)
export class SitesController {
  constructor(
    @Inject(SiteAdmin) private readonly siteAdmin: SiteAdmin,
    @Inject(FleetStore) private readonly fleet: FleetStore,
    @Inject(SendCommand) private readonly commands: SendCommand,
  ) {}

  @Get('sites')
  sites() {
    return this.fleet.views();
  }

  @Post('sites')
  @HttpCode(200)
  addSite(@Req() request: FastifyRequest, @Asked() caller: Caller) {
    return this.siteAdmin.add(readJsonBody(addSiteSchema, request), caller);
  }

  @Get('sites/:site')
  site(@Param() path: unknown) {
    return this.siteAdmin.view(readInput(sitePathSchema, path, 'the path').site);
  }

  @Delete('sites/:site')
  removeSite(@Param() path: unknown, @Query() query: unknown, @Asked() caller: Caller) {
    const { site } = readInput(sitePathSchema, path, 'the path');
    const { force } = readInput(z.object({ force: flagSchema }), query, 'the query');
    return this.commands.send({ verb: 'site.remove', name: site, ...(force ? { force } : {}) }, caller);
  }

  @Post('sites/:site/cordon')
  @HttpCode(200)
  cordon(@Param() path: unknown, @Req() request: FastifyRequest, @Asked() caller: Caller) {
    const { site } = readInput(sitePathSchema, path, 'the path');
    const { cordoned } = readJsonBody(z.strictObject({ cordoned: z.boolean() }), request);
    return this.commands.send({ verb: 'site.cordon', name: site, cordoned }, caller);
  }

  @Get('nodes')
  nodes() {
    return this.fleet.nodes();
  }
}
