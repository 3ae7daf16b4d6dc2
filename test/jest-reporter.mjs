// Plain lines for a terminal or a log: one for each file of tests, and every failure in full. The numbers go to the
// file that SKERRY_TEST_SUMMARY names, from which `npm test` makes its last line.
import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';

/** Slower tests than this are named, in milliseconds. */
const SLOW_MS = 5_000;

export default class PlainReporter {
  /** @param {{ rootDir: string }} config */
  constructor({ rootDir }) {
    this.rootDir = rootDir;
    this.failedToRun = 0;
    /** @type {{ file: string, passed: number, failed: number, skipped: number }[]} */
    this.failedFiles = [];
  }

  onTestResult(test, result) {
    const { numPassingTests, numFailingTests, numPendingTests, numTodoTests, testExecError, perfStats } =
      result;
    if (testExecError) this.failedToRun += 1;
    const failed = numFailingTests > 0 || testExecError;
    const skipped = numPendingTests + numTodoTests;
    const counts = [
      `${numPassingTests} passed`,
      ...(failed ? [`${numFailingTests + (testExecError ? 1 : 0)} failed`] : []),
      ...(skipped > 0 ? [`${skipped} skipped`] : []),
    ];
    const file = relative(this.rootDir, test.path);
    const numFailed = numFailingTests + (testExecError ? 1 : 0);
    if (failed) this.failedFiles.push({ file, passed: numPassingTests, failed: numFailed, skipped });
    const seconds = ((perfStats.end - perfStats.start) / 1000).toFixed(1);
    console.log(`${failed ? 'FAIL' : 'ok  '} ${file} (${counts.join(', ')}, ${seconds} s)`);
    for (const { fullName, duration } of result.testResults) {
      if ((duration ?? 0) > SLOW_MS) console.log(`     ${(duration / 1000).toFixed(1)} s: ${fullName}`);
    }
    if (failed && result.failureMessage) console.log(result.failureMessage);
  }

  onRunComplete(_contexts, results) {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, wasInterrupted } = results;
    const summary = {
      passed: numPassedTests,
      failed: numFailedTests + this.failedToRun + (wasInterrupted ? 1 : 0),
      skipped: numPendingTests + numTodoTests,
      files: this.failedFiles,
    };
    const file = process.env['SKERRY_TEST_SUMMARY'];
    if (file) writeFileSync(file, JSON.stringify(summary));
  }
}
