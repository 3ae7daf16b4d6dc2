/** How much work a search may still do, counted in looks at one user location: never by the clock, so it is the same anywhere. */
export class WorkLeft {
  constructor(private left: number) {}

  take(looks: number): void {
    this.left -= looks;
  }

  get unlimited(): boolean {
    return this.left === Number.POSITIVE_INFINITY;
  }

  get spent(): boolean {
    return this.left <= 0;
  }
}
