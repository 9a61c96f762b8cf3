import type { Problem } from '../../catalog/kind.ts'

/** One thing wrong with rules, levels or resources. */
export interface RuleProblem {
  readonly path: string
  readonly message: string
  readonly fix: string
}

/** Collects problems, so that all are reported at once. */
export interface Findings {
  readonly problems: RuleProblem[]
  readonly warnings: RuleProblem[]
}

/** What a kind found, with its place in the file. */
export function within(path: string, problem: Problem): RuleProblem {
  return {
    path: problem.path ? `${path}.${problem.path}` : path,
    message: problem.message,
    fix: problem.fix ?? 'run `sallyport config reference` to see what is allowed here',
  }
}
