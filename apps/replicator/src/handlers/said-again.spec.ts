import { describe, expect, it } from '@jest/globals';
import { SaidAgain } from './said-again.js';

const LAST_MS = 12;

async function over(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, LAST_MS * 3));
}

describe('what is said again', () => {
  const again = () => new SaidAgain([2, LAST_MS / 2, LAST_MS]);

  it('says it after each pause', async () => {
    const said: string[] = [];
    again().later('a', () => void said.push('a'));
    await over();
    expect(said).toEqual(['a', 'a', 'a']);
  });

  it('says nothing of what something newer has taken the place of, was heard, or is over', async () => {
    const said: string[] = [];
    const [one, other] = [again(), again()];
    one.later('a', () => void said.push('old'));
    one.later('a', () => void said.push('new'));
    one.later('b', () => void said.push('heard'));
    one.heard('b');
    other.later('c', () => void said.push('over'));
    other.clear();
    await over();
    expect(said).toEqual(['new', 'new', 'new']);
  });
});
