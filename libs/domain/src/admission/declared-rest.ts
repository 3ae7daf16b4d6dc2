/** What of a declaration is carried as text (`Declared.rest`); nothing where it is no JSON object: its warrant then shows nothing. */
export function declaredRest(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
