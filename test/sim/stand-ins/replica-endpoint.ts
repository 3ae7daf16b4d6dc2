/** In place of a port on loopback: nobody asks there in a simulation. */
export class ReplicaEndpoint {
  url(): Promise<string> {
    return Promise.resolve('http://127.0.0.1:1');
  }

  also(): void {
    // Nor for datasets.
  }

  close(): void {
    // Nothing was opened.
  }
}
