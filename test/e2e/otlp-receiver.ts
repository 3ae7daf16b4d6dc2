import { createServer } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { z } from 'zod';

const attributeSchema = z.object({
  key: z.string(),
  value: z.looseObject({ stringValue: z.string().optional() }),
});
const spanSchema = z.object({
  traceId: z.string().regex(/^[0-9a-f]{32}$/),
  spanId: z.string().regex(/^[0-9a-f]{16}$/),
  parentSpanId: z.string().optional(),
  name: z.string(),
  startTimeUnixNano: z.union([z.string(), z.number()]),
  endTimeUnixNano: z.union([z.string(), z.number()]),
});
/** `ExportTraceServiceRequest` of OTLP 1.x in its JSON encoding. */
const exportSchema = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes: z.array(attributeSchema) }),
      scopeSpans: z.array(z.object({ spans: z.array(spanSchema) })),
    }),
  ),
});

export interface ReceivedSpan {
  service: string;
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
}

/** An OTLP/HTTP receiver that decodes what it is sent and keeps it; a body it cannot decode is answered 400 and counted. */
export class OtlpReceiver {
  readonly spans: ReceivedSpan[] = [];
  malformed = 0;
  private constructor(
    private readonly server: ReturnType<typeof createServer>,
    readonly url: string,
  ) {}

  static async listen(): Promise<OtlpReceiver> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the receiver got no port');
    const receiver = new OtlpReceiver(server, `http://127.0.0.1:${address.port}`);
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const raw = Buffer.concat(chunks);
        const ok =
          request.url === '/v1/traces' &&
          receiver.take(request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw);
        response.writeHead(ok ? 200 : 400, { 'content-type': 'application/json' }).end('{}');
      });
    });
    return receiver;
  }

  /** The spans of one trace. */
  trace(traceId: string): ReceivedSpan[] {
    return this.spans.filter((s) => s.traceId === traceId);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private take(body: Buffer): boolean {
    const parsed = exportSchema.safeParse(JSON.parse(body.toString('utf8')));
    if (!parsed.success) {
      this.malformed += 1;
      return false;
    }
    for (const { resource, scopeSpans } of parsed.data.resourceSpans) {
      const service =
        resource.attributes.find((a) => a.key === 'service.name')?.value.stringValue ?? 'unnamed';
      for (const span of scopeSpans.flatMap((s) => s.spans)) {
        const { name, traceId, spanId, parentSpanId } = span;
        this.spans.push({
          service,
          name,
          traceId,
          spanId,
          parentSpanId: parentSpanId === '' ? undefined : parentSpanId,
        });
      }
    }
    return true;
  }
}
