import { printable } from '../../proxy/printable.ts'
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
