import { describe, expect, it } from '@jest/globals';
import { frame, readFrame } from './frame.js';

describe('a frame', () => {
  it('gives back its head and its bytes', () => {
    const bytes = Uint8Array.of(0, 123, 255);
    expect(readFrame(frame({ ok: true, name: 'ü' }, bytes))).toEqual({
      head: { ok: true, name: 'ü' },
      bytes,
    });
    expect(readFrame(frame({}, new Uint8Array(0)))?.bytes).toHaveLength(0);
  });

  it('that is none is none, however it begins', () => {
    const whole = frame({ ok: true }, Uint8Array.of(1));
    for (const broken of [
      new Uint8Array(0),
      whole.subarray(0, 3),
      whole.subarray(0, 8),
      Uint8Array.of(255, 255, 255, 255, 1),
      Uint8Array.of(0, 0, 0, 1, 120),
    ])
      expect(readFrame(broken)).toBeUndefined();
  });
});
