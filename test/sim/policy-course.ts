import type { Random } from '@skerry/sim';
import { AdmissionRules } from './admission-rules.js';
import type { Cloud } from './cloud.js';
import type { Broken } from './invariants.js';
import type { People } from './people.js';
import { Petitioners } from './petitioners.js';
import { PolicyFaults } from './policy-faults.js';

/** What is asked of policy, what breaks it meanwhile, and what has to hold of its answers. */
export class PolicyCourse {
  private readonly faults: PolicyFaults;
  private readonly petitioners: Petitioners;
  private readonly rules: AdmissionRules;

  constructor(cloud: Cloud, people: People, broken: (broken: Broken) => void) {
    const random = (of: string): Random => cloud.random.fork(of);
    this.faults = new PolicyFaults(cloud, random('policy faults'));
    this.petitioners = new Petitioners({ cloud, people, random: random('petitioners') }, broken);
    this.rules = new AdmissionRules(cloud, () => this.faults.staleMs, broken);
  }

  begin(): void {
    this.faults.begin();
    this.petitioners.begin();
  }

  /** Nothing more breaks, and nobody asks for more. */
  end(): void {
    this.faults.heal();
    this.petitioners.end();
  }

  /** What is not as it has to be in the end. */
  unrest(): string[] {
    return this.rules.untold();
  }
}
