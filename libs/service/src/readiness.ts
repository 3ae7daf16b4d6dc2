/** What `/readyz` says. */
export interface ReadinessReport {
  ready: boolean;
  service: string;
  instance: string;
  /** Why it is not ready; empty when it is. */
  reasons: string[];
  /** Leases held by this process, with their epochs. */
  holds: Record<string, number>;
}

/** Answers undefined when passed, else the reason in a few words. */
export type Gate = () => string | undefined;

/** Collects what must be true before a service counts as ready. Gates may come and go while it runs. */
export class Readiness {
  private readonly gates = new Set<Gate>();
  private readonly roles = new Map<string, () => number | undefined>();

  constructor(
    readonly service: string,
    readonly instance: string,
  ) {}

  /** Adds a gate; returns how to take it away. */
  gate(gate: Gate): () => void {
    this.gates.add(gate);
    return () => this.gates.delete(gate);
  }

  /** Shows a lease in the report: standbys are ready too. */
  role(name: string, epoch: () => number | undefined): void {
    this.roles.set(name, epoch);
  }

  report(): ReadinessReport {
    const reasons = [...this.gates].map((gate) => gate()).filter((reason) => reason !== undefined);
    const holds: Record<string, number> = {};
    for (const [name, epochOf] of this.roles) {
      const epoch = epochOf();
      if (epoch !== undefined) holds[name] = epoch;
    }
    return {
      ready: reasons.length === 0,
      service: this.service,
      instance: this.instance,
      reasons,
      holds,
    };
  }
}
