import { Get, Inject, Param, Query, Req, Res } from '@nestjs/common';
import { nameSchema } from '@skerry/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { ReadEvents, selectEvents } from './handlers/read-events.js';
import { ReadLogs } from './handlers/read-logs.js';
import { WatchStatus } from './handlers/watch-status.js';
import { WorkloadViews } from './handlers/workload-view.js';
import { HttpController } from './http/http-controller.js';
import { flagSchema, numberText, readInput, workloadPathSchema } from './http/read-input.js';
import { Streams } from './http/streams.js';

/** What can be watched over HTTP as server-sent events, and the list that begins it. */
@HttpController()
export class StreamsController {
  constructor(
    @Inject(Streams) private readonly streams: Streams,
    @Inject(WorkloadViews) private readonly workloads: WorkloadViews,
    @Inject(WatchStatus) private readonly statuses: WatchStatus,
    @Inject(ReadLogs) private readonly logLines: ReadLogs,
    @Inject(ReadEvents) private readonly eventLog: ReadEvents,
  ) {}

  @Get('status')
  async status(@Query() query: unknown, @Res() reply: FastifyReply) {
    const { project, after, watch } = readInput(statusQuerySchema, query, 'the query');
    if (watch) return this.streams.serve(reply, (stream) => this.statuses.stream(stream, project));
    const page = { ...(project === undefined ? {} : { project }), ...(after === undefined ? {} : { after }) };
    await reply.send(await this.workloads.page(page));
  }

  @Get('workloads/:project/:name/logs')
  logs(@Param() path: unknown, @Query() query: unknown, @Res() reply: FastifyReply) {
    const { tail = DEFAULT_TAIL, follow, site } = readInput(logsQuerySchema, query, 'the query');
    const ref = readInput(workloadPathSchema, path, 'the path');
    return this.streams.serve(reply, (stream) =>
      this.logLines.stream(stream, { ...ref, tail, follow, site }),
    );
  }

  @Get('events')
  events(@Query() query: unknown, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    const {
      filter,
      follow,
      tail = follow ? 0 : DEFAULT_EVENTS,
    } = readInput(eventsQuerySchema, query, 'the query');
    const last = numberText(Number.MAX_SAFE_INTEGER).safeParse(request.headers['last-event-id']);
    const wanted = { filter, follow, tail, after: last.success ? last.data : undefined };
    const selection = selectEvents(filter);
    return this.streams.serve(reply, (stream) => this.eventLog.stream(stream, wanted, selection));
  }
}

const DEFAULT_TAIL = 100;
const DEFAULT_EVENTS = 50;
const MAX_TAIL = 10_000;
const MAX_EVENTS = 5_000;

const statusQuerySchema = z.object({
  project: nameSchema.optional(),
  after: z.string().max(127).optional(),
  watch: flagSchema,
});
const logsQuerySchema = z.object({
  tail: numberText(MAX_TAIL).optional(),
  follow: flagSchema,
  site: nameSchema.optional(),
});
const eventsQuerySchema = z.object({
  filter: z.string().max(200).optional(),
  follow: flagSchema,
  tail: numberText(MAX_EVENTS).optional(),
});
