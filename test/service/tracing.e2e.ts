import { createServer, type Server } from 'node:http';
import { Controller, Inject, Module } from '@nestjs/common';
import { connectBus, done, type Bus, type Outcome, type StoredMessage } from '@skerry/bus';
import { HEADERS, STREAMS } from '@skerry/contracts';
import {
  BASE_VARIABLES,
  BUS,
  JsonLog,
  OnStored,
  parseConfig,
  spanned,
  startService,
  type RunningService,
} from '@skerry/service';
import { startPlainServer, until, type PlainServer } from './plain-server.js';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';

/** What of a span counts here, as OTLP's JSON has it. */
interface Span {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
}

@Controller()
class TracedController {
  constructor(@Inject(BUS) private readonly bus: Bus) {}

  @OnStored('CMD', { filters: ['skerry.cmd.traced.>'] })
  async command(message: StoredMessage): Promise<Outcome> {
    await spanned('decide', { of: message.subject }, async () => {
      await this.bus.publish('skerry.evt.traced.told.p.n', {});
    });
    return done;
  }
}
@Module({ controllers: [TracedController] })
class TracedModule {}

let server: PlainServer;
let receiver: Server;
let bus: Bus;
let service: RunningService;
const spans: Span[] = [];
const resources: string[] = [];

beforeAll(async () => {
  receiver = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      if (request.url === '/v1/traces') resources.push(text);
      collect(JSON.parse(text));
      response.end('{}');
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const address = receiver.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  server = await startPlainServer();
  bus = await connectBus({ servers: [server.url], name: 'test' });
  for (const stream of [STREAMS.CMD, STREAMS.EVT]) await bus.ensureStream(stream);
  const config = parseConfig(BASE_VARIABLES, {
    SKERRY_NATS_URL: server.url,
    SKERRY_INSTANCE: 'one',
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
  });
  if (!config.ok) throw new Error('config');
  const definition = { name: 'traced', variables: {}, module: TracedModule };
  service = await startService(definition, config.value, {
    log: new JsonLog('traced', 'one', 'error', () => undefined),
  });
});
afterAll(async () => {
  await service?.stop();
  await bus?.close();
  await server?.stop();
  receiver?.close();
});

function collect(value: unknown): void {
  if (Array.isArray(value)) value.forEach(collect);
  else if (isSpan(value)) spans.push(value);
  else if (typeof value === 'object' && value !== null) Object.values(value).forEach(collect);
}

function isSpan(value: unknown): value is Span {
  return typeof value === 'object' && value !== null && 'spanId' in value && 'name' in value;
}

test('a handler hangs below the sender, what it does below it, and what it sends carries that on; the drain flushes it', async () => {
  const headers = { [HEADERS.traceparent]: `00-${TRACE}-${PARENT}-01` };
  await bus.publish('skerry.cmd.traced.x.p.n', {}, { headers });
  const event = await until(() => bus.message('EVT', 1), 'the event');
  await service.stop();
  const byName = Object.fromEntries(spans.map((span) => [span.name, span]));
  expect(byName['handle CMD']).toMatchObject({ traceId: TRACE, parentSpanId: PARENT });
  expect(byName['decide']).toMatchObject({ traceId: TRACE, parentSpanId: byName['handle CMD']?.spanId });
  expect(event.headers[HEADERS.traceparent]).toBe(`00-${TRACE}-${byName['decide']?.spanId}-01`);
  expect(resources.join('')).toContain('skerry-traced');
});
