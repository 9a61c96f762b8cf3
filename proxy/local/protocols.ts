import { BrokerError } from '../session.ts'
import type { LocalProtocol } from './local-protocol.ts'
import { localMysql } from './mysql/local-mysql.ts'
import { localPostgres } from './postgres/local-postgres.ts'

/** Every protocol that a local port can speak, by the name that a resource's view gives it. */
export const localProtocols: Readonly<Record<string, LocalProtocol>> = {
  postgres: localPostgres,
  mysql: localMysql,
}

/** @throws BrokerError UNSUPPORTED */
export function localProtocolNamed(name: string): LocalProtocol {
  const found = Object.hasOwn(localProtocols, name) ? localProtocols[name] : undefined
  if (!found) throw new BrokerError('UNSUPPORTED', `no local port speaks ${name}`)
  return found
}
