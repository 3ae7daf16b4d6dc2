/** Requests whose answers are remembered; of more the oldest is forgotten. */
const REMEMBERED = 1_000;

/** Answers to requests by their id: one that comes again is not done again. */
export class AnsweredOnce<Answer extends { ok: boolean }> {
  private readonly answers = new Map<string, Promise<Answer>>();

  /** Does it, or answers as before. With `keep` false it is remembered only while it is done. */
  async answer(id: string, keep: boolean, run: () => Promise<Answer>): Promise<Answer> {
    const before = this.answers.get(id);
    if (before !== undefined) return await before;
    const answer = run();
    this.answers.set(id, answer);
    const [oldest] = this.answers.keys();
    if (this.answers.size > REMEMBERED && oldest !== undefined) this.answers.delete(oldest);
    // What did not happen may be tried again.
    if (!(await answer).ok || !keep) this.answers.delete(id);
    return await answer;
  }
}
