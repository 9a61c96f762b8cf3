/** Entries that are written out, as JSON.stringify would have them. */

/** Printable ASCII that needs no escape. */
const unescaped = /^[ !#-[\]-~]*$/
const ascii = /^[ -~]*$/

/** A text as JSON has it. */
export function quoted(text: string): string {
  return unescaped.test(text) ? `"${text}"` : JSON.stringify(text)
}

/** As {@link Recorder.write} means it. */
export function isPlain(text: string): boolean {
  return ascii.test(text)
}
