import { matches, type MemoryBus, type MemoryServer } from '@skerry/bus';
import { JETSTREAM_API } from '@skerry/contracts';
import { z } from 'zod';

/** Has a memory server answer who asks for the newest message below a subject, as a real one does: it has no API of its own. */
export function answerNewest(bus: MemoryBus, server: MemoryServer, stream: string): void {
  bus.listen(JETSTREAM_API.messageGet(stream), (m) => {
    const filter = z.object({ last_by_subj: z.string() }).parse(m.json()).last_by_subj;
    const all = server.streams.get(stream)?.newestOfEach((subject) => matches(filter, subject)) ?? [];
    const found = all.toSorted((a, b) => a.sequence - b.sequence).at(-1);
    if (found === undefined) return m.reply?.({ error: { code: 404 } });
    const data = Buffer.from(found.bytes).toString('base64');
    m.reply?.({ message: { seq: found.sequence, data, time: new Date(0).toISOString() } });
  });
}
