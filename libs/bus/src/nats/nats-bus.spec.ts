import { describe } from '@jest/globals';
import { connect } from '@nats-io/transport-node';
import type { Alarm } from '../alarm.js';
import type { Bus } from '../bus.js';
import { busSuite } from '../bus.suite.js';
import { until, type Meeting } from '../suite/meeting.suite.js';
import { connectBus } from './nats-bus.js';
import { RealServer, Relay } from './real-server.suite.js';

async function open(): Promise<Meeting> {
  const server = await RealServer.start();
  const alarms: Alarm[] = [];
  const relays = new Map<Bus, Relay>();
  return {
    alarms,
    open: async (name) => {
      const relay = await Relay.start(server.port);
      const onAlarm = (alarm: Alarm) => void alarms.push(alarm);
      const bus = await connectBus({ servers: [relay.url], name, onAlarm });
      relays.set(bus, relay);
      return bus;
    },
    cut: async (bus) => {
      relays.get(bus)?.cut();
      await until('the client sees that it is cut', () => !bus.connected);
    },
    heal: async (bus) => relays.get(bus)?.heal(),
    wipe: async (stream) => {
      const admin = await connect({ servers: server.url });
      await admin.request(`$JS.API.STREAM.DELETE.${stream}`);
      await admin.close();
    },
    close: async () => {
      for (const relay of relays.values()) relay.heal();
      await Promise.all([...relays.keys()].map((bus) => bus.close()));
      await Promise.all([...relays.values()].map((relay) => relay.stop()));
      await server.stop();
    },
  };
}

describe('the bus over NATS', () => {
  busSuite(open);
});
