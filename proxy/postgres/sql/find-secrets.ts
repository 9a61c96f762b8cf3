import { EveryWay, Finder, type Found, type SqlReader } from '../../recording/sql/finder.ts'
import type { SqlDialect, SqlMode } from '../../recording/sql-dialect.ts'
import { Prepared, type SecretParameters } from './executions.ts'
import { isPlain } from './plain-text.ts'
import { SecretRules } from './secret-rules.ts'

/** PostgreSQL's SQL, with PL/pgSQL in its literals. */
export const postgresDialect: SqlDialect = {
  mayHoldSecret: /passw|pwd|:\/\/|\boptions\b|\bexecute\b|\\[0-7xu+]|\buescape\b/i,
  beforeSecret: /(?:passw\w*|pwd)[\s"]*/i,
  errorQuote: / at or near "/,
  isPlain,
  findSecrets: ({ backslashes, secretParameters = () => undefined }: SqlMode) => {
    const finder = (hasBackslashes: boolean) => new Finder((found) => read(found, hasBackslashes, secretParameters))
    return backslashes === 'unknown' ? new EveryWay([finder(false), finder(true)]) : finder(backslashes)
  },
}

function read(found: Found, hasBackslashes: boolean, secretParameters: SecretParameters): SqlReader {
  const prepared = new Prepared(secretParameters)
  const root = {
    steps: 0,
    hasBackslashes,
    prepared,
    emit: found.emit,
    parameter: (number: number) => {
      found.parameter(number)
      prepared.parameter(number)
    },
  }
  const rules = new SecretRules(root, 0)
  return {
    get steps() {
      return root.steps
    },
    feed: (bytes, start, end, from) => rules.lexer.feed(bytes, start, end, from),
    feedLiteral: (bytes) => {
      rules.literalStart(0, false)
      rules.content(bytes, 0, bytes.length, 0)
      rules.literalEnd(0, bytes.length)
    },
    finish: (end) => rules.finish(end),
  }
}
