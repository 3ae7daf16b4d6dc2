import { describe, expect, it } from '@jest/globals';
import { isOfAnother } from './stream-epoch.js';

const EPOCHS = [
  { sequence: 40, mark: 4_000 },
  { sequence: 25, mark: 2_500 },
  // From before epochs had marks.
  { sequence: 10, mark: 10 },
];

describe('what was read of a stream in an epoch of it', () => {
  it.each([
    { streamEpoch: 10, cursor: 24, why: 'ends before the next began' },
    { streamEpoch: 4_000, cursor: 99, why: 'is of the newest' },
    { streamEpoch: 2_500, cursor: 12, why: 'was read before it' },
    { streamEpoch: undefined, cursor: 99, why: 'is of before there were epochs' },
    { streamEpoch: 3_300, cursor: 0, why: 'is nothing' },
  ])('is what lies there when it $why', (read) => expect(isOfAnother(EPOCHS, read)).toBe(false));

  it.each([
    { streamEpoch: 10, cursor: 25, why: 'goes on where the next began' },
    { streamEpoch: 2_500, cursor: 60, why: 'goes on behind the next' },
    { streamEpoch: 3_300, cursor: 34, why: 'is of one that the stream has lost' },
    {
      streamEpoch: 4_001,
      cursor: 60,
      why: 'is of one that the stream has lost and another began in the place of',
    },
  ])('is not what lies there when it $why', (read) => expect(isOfAnother(EPOCHS, read)).toBe(true));
});
