import { EveryWay, Finder, type Found, type SqlReader } from '../../recording/sql/finder.ts'
import type { SqlDialect } from '../../recording/sql-dialect.ts'
import { isPlain } from './plain-text.ts'
import { type MysqlMode, type Reading, readingsOf } from './reading.ts'
import { SecretRules } from './secret-rules.ts'

/** SQL of MySQL and MariaDB. */
export const mysqlDialect: SqlDialect & { findSecrets(mode: MysqlMode): Finder | EveryWay } = {
  /** In hexadecimal literals the letters of *dentif* and *passw*. */
  mayHoldSecret:
    /passw|pwd|identified|:\/\/|\bexecute\b|authentication_string|rds_(?:set_external|import_binlog)|[46]4[46]5[46]e[57]4[46]9[46]6|[57]0[46]1[57]3[57]3[57]7/i,
  errorQuote: /(?: near| value:?| entry| value of| string:| out of range in) '/,
  isPlain,
  findSecrets: (mode: MysqlMode) => {
    const finders = readingsOf(mode).map(
      (reading) => new Finder((found) => read(found, reading, mode.secretParameters ?? (() => undefined))),
    )
    return finders.length === 1 && finders[0] ? finders[0] : new EveryWay(finders)
  },
}

function read(found: Found, reading: Reading, secretParameters: NonNullable<MysqlMode['secretParameters']>): SqlReader {
  const root = { steps: 0, reading, secretParameters, emit: found.emit, parameter: found.parameter }
  const rules = new SecretRules(root, 0)
  return {
    get steps() {
      return root.steps
    },
    feed: (bytes, start, end, from) => rules.lexer.feed(bytes, start, end, from),
    feedLiteral: (bytes) => {
      rules.literalStart(0)
      rules.content(bytes, 0, bytes.length, 0)
      rules.literalEnd(0, bytes.length)
    },
    finish: (end) => rules.finish(end),
  }
}
