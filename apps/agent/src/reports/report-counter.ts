import { parse } from '@skerry/contracts';
import { z } from 'zod';
import { readJson, writeAtomic } from '../files/atomic-file.js';

/** Numbers taken from the disk at once. */
const BLOCK = 1_000_000;
const fileSchema = z.strictObject({ next: z.number().int().min(1) });

/**
 * Numbers that rise with each use, over restarts and over the loss of the disk: blocks are reserved on the disk
 * before they are used, and begin no lower than the clock in milliseconds.
 */
export class ReportCounter {
  private writing: Promise<void> = Promise.resolve();

  private constructor(
    private readonly path: string,
    private at: number,
    private reserved: number,
  ) {}

  static async open(path: string): Promise<ReportCounter> {
    const parsed = parse(fileSchema, await readJson(path).catch(() => undefined));
    const start = Math.max(parsed.ok ? parsed.value.next : 1, Date.now());
    const counter = new ReportCounter(path, start, 0);
    await counter.reserve();
    return counter;
  }

  /** The next number; resolves at once but for every millionth. */
  async next(): Promise<number> {
    while (this.at >= this.reserved) await this.reserve();
    return this.at++;
  }

  /** Where the next number is; by `raise` it gets no lower than `least`, on the disk too. */
  get position(): number {
    return this.at;
  }

  async raise(least: number): Promise<void> {
    if (least <= this.at) return;
    this.at = least;
    await this.reserve();
  }

  /** One write after the other: the site's epoch is told by who follows the book, also while this agent takes over itself. */
  private async reserve(): Promise<void> {
    const write = async () => {
      const upTo = this.at + BLOCK;
      if (upTo <= this.reserved) return;
      await writeAtomic(this.path, JSON.stringify({ next: upTo }));
      this.reserved = upTo;
    };
    this.writing = this.writing.then(write, write);
    await this.writing;
  }
}
