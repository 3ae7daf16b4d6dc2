/** In place of the kernel's: limits are not simulated. */
export class Cgroups {
  readonly kind = 'none';

  static detect(): Cgroups {
    return new Cgroups();
  }

  removeAll(): void {
    // There are none.
  }
}
