/** A task that runs one at a time, and once more when it was asked for while it ran. It deals with its own failures. */
export class Repeated {
  private asked = false;
  private running: Promise<void> | undefined;

  constructor(private readonly task: () => Promise<void>) {}

  ask(): void {
    this.asked = true;
    this.running ??= this.run();
  }

  get runs(): boolean {
    return this.running !== undefined;
  }

  async settled(): Promise<void> {
    await this.running;
  }

  private async run(): Promise<void> {
    // First the assignment above.
    await Promise.resolve();
    while (this.asked) {
      this.asked = false;
      await this.task();
    }
    // With nothing in between: who asks from here on begins anew.
    this.running = undefined;
  }
}
