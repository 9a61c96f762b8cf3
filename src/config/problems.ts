import type { ConfigProblem } from './config.ts'

/** For a terminal: `FILE:LINE:COLUMN: PATH: MESSAGE`, what to do below it; one for each problem, with a line end. */
export function formatProblems(file: string, problems: readonly ConfigProblem[]): string {
  return problems
    .map(({ path, line, column, message, fix }) => {
      const what = [`${file}:${line}:${column}`, ...(path ? [path] : []), message].join(': ')
      return `${printable(what)}\n    ${printable(fix)}\n`
    })
    .join('')
}

/** Keys and values of the file must not control the reader's terminal. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, (letter) => `\\u{${letter.codePointAt(0)?.toString(16)}}`)
}
