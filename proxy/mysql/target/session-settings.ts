import type { Duplex } from 'node:stream'
import { BrokerError } from '../../session.ts'
import type { MysqlRules } from '../rules.ts'
import { askRow } from './ask-row.ts'
import type { Upstream } from './upstream.ts'

/** Statements that make the level's rules those of the session. A reset drops them: after one they are sent again. */
export function sessionSettings(
  { statementTimeoutMs, readOnly }: Pick<MysqlRules, 'statementTimeoutMs' | 'readOnly'>,
  { version }: { readonly version: string },
): string[] {
  const timeout = version.includes('MariaDB')
    ? `SET SESSION max_statement_time = ${statementTimeoutMs / 1000}`
    : `SET SESSION max_execution_time = ${statementTimeoutMs}`
  return [...(statementTimeoutMs > 0 ? [timeout] : []), ...(readOnly ? ['SET SESSION TRANSACTION READ ONLY'] : [])]
}

/** @throws BrokerError TARGET_REFUSED when the target does not take one, and what {@link askRow} throws */
export async function applySettings(
  target: Pick<Upstream, 'capabilities'> & { readonly stream: Duplex },
  settings: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  for (const statement of settings) {
    const { error } = await askRow(target, statement, signal)
    if (!error) continue
    target.stream.destroy()
    throw new BrokerError('TARGET_REFUSED', `it does not take a setting of the access level (${error.number})`)
  }
}
