/** What it gains to open a candidate: one for all of them, written over at each, as there are thousands in a decision. */
export class Opening {
  /** With one portion. */
  gain = 0;
  /** What more it would be without the limit of what one portion carries. */
  beyond = 0;
  /** More users would gain than one portion carries, and `gain` does not heed that yet. */
  over = false;
  /** By open candidate: what of the loss of closing it is saved besides. */
  readonly saved: Float64Array;

  constructor(candidates: number) {
    this.saved = new Float64Array(candidates);
  }

  /** Nothing yet, with so many candidates open. */
  clear(open: number): this {
    this.gain = 0;
    this.beyond = 0;
    this.over = false;
    this.saved.fill(0, 0, open);
    return this;
  }
}
