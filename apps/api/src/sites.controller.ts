import { Delete, Get, HttpCode, Inject, Param, Post, Query, Req } from '@nestjs/common';
import { addSiteSchema, deadlineMsSchema, nameSchema, nodeRuleSchema } from '@skerry/contracts';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { ReportSite } from './handlers/report-site.js';
import { SendCommand } from './handlers/send-command.js';
import { SiteAdmin } from './handlers/site-admin.js';
import { Asked, type Caller } from './http/caller.js';
import { HttpController } from './http/http-controller.js';
import {
  deadlineMsTextSchema,
  flagSchema,
  readInput,
  readJsonBody,
  sitePathSchema,
} from './http/read-input.js';
import { FleetStore } from './stores/fleet.store.js';

const drainSchema = z.strictObject({
  kind: z.enum(['drain', 'evacuate']),
  deadlineMs: deadlineMsSchema.optional(),
});
const nodePathSchema = z.object({ site: nameSchema, node: nameSchema });
const nodeBodySchema = z.strictObject({ rule: nodeRuleSchema.exclude(['removed']).optional() });

/** Sites and nodes over HTTP. */
@HttpController()
export class SitesController {
  constructor(
    @Inject(SiteAdmin) private readonly siteAdmin: SiteAdmin,
    @Inject(FleetStore) private readonly fleet: FleetStore,
    @Inject(SendCommand) private readonly commands: SendCommand,
    @Inject(ReportSite) private readonly reports: ReportSite,
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

  @Get('sites/:site/report')
  report(@Param() path: unknown) {
    return this.reports.report(readInput(sitePathSchema, path, 'the path').site);
  }

  @Delete('sites/:site')
  removeSite(@Param() path: unknown, @Query() query: unknown, @Asked() caller: Caller) {
    const { site } = readInput(sitePathSchema, path, 'the path');
    const { force, deadlineMs } = readInput(
      z.object({ force: flagSchema, deadlineMs: deadlineMsTextSchema.optional() }),
      query,
      'the query',
    );
    const options = { ...(force ? { force } : {}), ...(deadlineMs === undefined ? {} : { deadlineMs }) };
    return this.commands.send({ verb: 'site.remove', name: site, ...options }, caller);
  }

  @Post('sites/:site/drain')
  @HttpCode(200)
  drain(@Param() path: unknown, @Req() request: FastifyRequest, @Asked() caller: Caller) {
    const { site } = readInput(sitePathSchema, path, 'the path');
    const body = readJsonBody(drainSchema, request);
    return this.commands.send({ verb: 'site.drain', name: site, ...body }, caller);
  }

  @Post('sites/:site/recall')
  @HttpCode(200)
  recall(@Param() path: unknown, @Asked() caller: Caller) {
    const { site } = readInput(sitePathSchema, path, 'the path');
    return this.commands.send({ verb: 'site.recall', name: site }, caller);
  }

  @Post('sites/:site/nodes/:node')
  @HttpCode(200)
  setNode(@Param() path: unknown, @Req() request: FastifyRequest, @Asked() caller: Caller) {
    const { site, node } = this.siteAdmin.node(readInput(nodePathSchema, path, 'the path'));
    const { rule } = readJsonBody(nodeBodySchema, request);
    const body = { site, name: node, ...(rule === undefined ? {} : { rule }) };
    return this.commands.send({ verb: 'node.set', ...body }, caller);
  }

  @Delete('sites/:site/nodes/:node')
  removeNode(@Param() path: unknown, @Asked() caller: Caller) {
    const { site, node } = this.siteAdmin.removable(readInput(nodePathSchema, path, 'the path'));
    return this.commands.send({ verb: 'node.remove', site, name: node }, caller);
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
