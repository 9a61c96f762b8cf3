import { loginNamePattern } from '../contract/references.ts'

const form = new RegExp(loginNamePattern)

/** What may stand for `{login}` in a level: nothing that a target, SQL or a policy could take for something else. */
export function isLoginName(value: unknown): value is string {
  return typeof value === 'string' && form.test(value)
}
