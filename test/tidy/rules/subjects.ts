import type { Rule, SourceFile } from '../repository.js';

const SUBJECT = /skerry\.cmd|\$KV\.|\$JS\./;

/** The rooms that may spell subjects: the one that names them, the one that carries them, the one that guards them. */
const MAY_SPELL = ['libs/contracts', 'libs/bus', 'libs/identity'];

/** A subject is spelled in one place, as a function, so that it can be changed and guarded there. */
export const subjects: Rule = {
  name: 'subjects of commands, buckets and JetStream are spelled in contracts, bus and identity alone',
  check: ({ sources }) =>
    sources
      .filter(({ room, isTest }) => room && !isTest && !MAY_SPELL.includes(room.folder))
      .flatMap((file) =>
        textsOf(file).flatMap(({ text, line }) =>
          SUBJECT.test(text) ? [{ path: `${file.path}:${line}`, says: `spells a subject: ${text}` }] : [],
        ),
      ),
};

function textsOf({ visits }: SourceFile): { text: string; line: number }[] {
  return visits.flatMap(({ node, line }) => {
    const text =
      node.type === 'StringLiteral'
        ? node['value']
        : node.type === 'TemplateElement'
          ? node['raw']
          : undefined;
    return typeof text === 'string' ? [{ text, line }] : [];
  });
}
