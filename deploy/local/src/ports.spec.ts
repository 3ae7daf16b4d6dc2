import { createSocket } from 'node:dgram';
import { describe, expect, it } from '@jest/globals';
import { freePort, isFree } from './ports.js';

describe('a port that is given out', () => {
  it('is free for who was given it, and given to nobody else before something listens on it', async () => {
    const port = await freePort();
    expect(await isFree(port)).toBe(true);
    // As another process claims what it is about to give out.
    expect(await bound(port)).toBe('EADDRINUSE');
  });
});

async function bound(port: number): Promise<string> {
  const socket = createSocket('udp4');
  return await new Promise((resolve) => {
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
    socket.bind({ port, address: '127.0.0.1', exclusive: true }, () => resolve('bound'));
  });
}
