import { LIMITS } from '@skerry/contracts';
import { Malformed } from './errors.js';

// A token is anything without whitespace, control characters or dots; only a filter may hold wildcards.
const LITERAL = /^[^\s.*>\p{Cc}]+(?:\.[^\s.*>\p{Cc}]+)*$/u;
const FILTER = /^(?:(?:\*|[^\s.*>\p{Cc}]+)\.)*(?:\*|>|[^\s.*>\p{Cc}]+)$/u;
const KEY = /^[-/_=A-Za-z0-9]+(?:\.[-/_=A-Za-z0-9]+)*$/;

/**
 * The subject, when a message may be published to it: whole tokens, no wildcard, within `subjectChars` and
 * `subjectTokens`. Throws `Malformed` with what is wrong and what is allowed.
 */
export function requireSubject(subject: string): string {
  if (subject.length > LIMITS.subjectChars) throw tooLong(subject);
  if (!LITERAL.test(subject)) {
    throw new Malformed(
      `subject ${quote(subject)}: wanted are tokens joined by ".", none empty, without whitespace, "*" and ">"`,
    );
  }
  return requireTokens(subject);
}

/** The same for a filter, which may have `*` for one token and `>` for all that follow. */
export function requireFilter(filter: string): string {
  if (filter.length > LIMITS.subjectChars) throw tooLong(filter);
  if (!FILTER.test(filter)) {
    throw new Malformed(
      `subject filter ${quote(filter)}: wanted are tokens, "*" for one, ">" at the end for the rest`,
    );
  }
  return requireTokens(filter);
}

/** The key, when a bucket may have it: letters, digits and `-/_=`, in tokens joined by dots. */
export function requireKey(key: string): string {
  if (!KEY.test(key)) {
    throw new Malformed(`key ${quote(key)}: wanted are letters, digits and "-/_=" in tokens joined by "."`);
  }
  return key;
}

/** Whether a subject falls under a filter. */
export function matches(filter: string, subject: string): boolean {
  if (filter === '>' || filter === subject) return true;
  // Token by token in place: this is asked for every message and everyone who hears, and splitting leaves much garbage.
  let [f, s] = [0, 0];
  while (f <= filter.length) {
    if (s > subject.length) return false;
    const [filterEnd, subjectEnd] = [tokenEnd(filter, f), tokenEnd(subject, s)];
    const first = filterEnd - f === 1 ? filter.charAt(f) : '';
    if (first === '>') return true;
    const same = filterEnd - f === subjectEnd - s && filter.startsWith(subject.slice(s, subjectEnd), f);
    if (first !== '*' && !same) return false;
    [f, s] = [filterEnd + 1, subjectEnd + 1];
  }
  return s > subject.length;
}

function tokenEnd(text: string, from: number): number {
  const dot = text.indexOf('.', from);
  return dot < 0 ? text.length : dot;
}

function requireTokens(subject: string): string {
  let tokens = 1;
  for (let i = subject.indexOf('.'); i >= 0; i = subject.indexOf('.', i + 1)) tokens++;
  if (tokens > LIMITS.subjectTokens) {
    throw new Malformed(
      `subject ${quote(subject)} has ${tokens} tokens: at most ${LIMITS.subjectTokens} (limit subjectTokens)`,
    );
  }
  return subject;
}

function tooLong(subject: string): Malformed {
  return new Malformed(
    `subject ${quote(subject)} has ${subject.length} characters: at most ${LIMITS.subjectChars} (limit subjectChars)`,
  );
}

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
