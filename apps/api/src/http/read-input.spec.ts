import { deadlineMsTextSchema } from './read-input.js';

test.each(['0', '999', '2592000001', '-5', '1e4', 'soon', ''])(
  'a deadline of %p in a query is refused before it becomes a command',
  (text) => expect(deadlineMsTextSchema.safeParse(text).success).toBe(false),
);

test('takes a deadline from 1 s to 30 days', () => {
  expect(deadlineMsTextSchema.parse('1000')).toBe(1_000);
  expect(deadlineMsTextSchema.parse('2592000000')).toBe(2_592_000_000);
});
