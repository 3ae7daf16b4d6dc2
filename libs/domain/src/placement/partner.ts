/** The workload that an affinity names: `name` in the same project, or `project/name`. */
export function partnerOf(reference: string, project: string): { project: string; name: string } {
  const [first = '', second] = reference.split('/');
  return second === undefined ? { project, name: first } : { project: first, name: second };
}
