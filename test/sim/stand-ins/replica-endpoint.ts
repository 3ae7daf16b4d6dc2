import { host, type Answers } from '../hosts.js';

/** In place of a port on loopback: who asks on the simulated machine is handed over as it is. */
export class ReplicaEndpoint {
  url(): Promise<string> {
    return Promise.resolve('http://127.0.0.1:1');
  }

  also(answers: Answers): void {
    host().answers.push(answers);
  }

  close(): void {
    // Nothing was opened.
  }
}
