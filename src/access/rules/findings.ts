import type { Problem } from '../../catalog/kind.ts'

/** One thing wrong with rules, levels or resources. */
export interface RuleProblem {
  readonly path: string
  readonly message: string
  readonly fix: string
}

/** Collects what is wrong, so that everything is reported at once. */
export interface Findings {
  readonly problems: RuleProblem[]
  readonly warnings: RuleProblem[]
}

/** What a kind found, with its place in the file. */
export function within(path: string, problem: Problem): RuleProblem {
  return {
    path: problem.path ? `${path}.${problem.path}` : path,
    message: problem.message,
    fix: problem.fix ?? 'see `sallyport config reference` for what belongs here',
  }
}
