import { describe } from '@jest/globals';
import type { Alarm } from '../alarm.js';
import type { Bus } from '../bus.js';
import { busSuite } from '../bus.suite.js';
import type { Meeting } from '../suite/meeting.suite.js';
import { MemoryBus } from './memory-bus.js';
import { MemoryServer } from './memory-server.js';

async function open(): Promise<Meeting> {
  const server = new MemoryServer();
  const alarms: Alarm[] = [];
  const buses = new Map<Bus, MemoryBus>();
  return {
    alarms,
    open: async () => {
      const bus = new MemoryBus(server, { onAlarm: (alarm) => alarms.push(alarm) });
      buses.set(bus, bus);
      return bus;
    },
    cut: async (bus) => buses.get(bus)?.cut(),
    heal: async (bus) => buses.get(bus)?.heal(),
    wipe: async (stream) => server.deleteStream(stream),
    close: async () => {
      await Promise.all([...buses.keys()].map((bus) => bus.close()));
    },
  };
}

describe('the bus in memory', () => {
  busSuite(open);
});
