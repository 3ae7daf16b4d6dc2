/**
 * How many bytes may be on their way at once. One that is larger than the window goes alone, so that nothing waits for
 * ever; who waits gets a turn in the order of asking.
 */
export class ByteWindow {
  private used = 0;
  private readonly waiting: { bytes: number; go: () => void }[] = [];

  constructor(private readonly size: number) {}

  /** Does `work` when there is room for its bytes. */
  async within<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    if (this.waiting.length > 0 || !this.fits(bytes)) {
      await new Promise<void>((go) => this.waiting.push({ bytes, go }));
    } else {
      this.used += bytes;
    }
    try {
      return await work();
    } finally {
      this.used -= bytes;
      this.letGo();
    }
  }

  private fits(bytes: number): boolean {
    return this.used === 0 || this.used + bytes <= this.size;
  }

  private letGo(): void {
    for (let next = this.waiting[0]; next !== undefined && this.fits(next.bytes); next = this.waiting[0]) {
      this.waiting.shift();
      this.used += next.bytes;
      next.go();
    }
  }
}
