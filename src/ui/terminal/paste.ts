/**
 * What of a pasted text may reach a terminal. Bracketed paste ends at `ESC [201~`, and xterm 6.0 lets a pasted one through
 * (GHSA-h62m-39wp-xq3w), so that what follows would run: no control character but tab and line feed is passed on.
 */
export function cleanPaste(text: string): string {
  return text.replaceAll(/\r\n?/g, '\n').replaceAll(/(?![\t\n])[\p{Cc}]/gu, '')
}

/** Outside bracketed paste a line feed runs what stands before it, so the person is shown the text first. */
export function asksFirst(cleaned: string, isBracketed: boolean): boolean {
  return !isBracketed && cleaned.includes('\n')
}
