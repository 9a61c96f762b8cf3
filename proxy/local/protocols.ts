import type { LocalProtocol } from './local-protocol.ts'
import { localPostgres } from './postgres/local-postgres.ts'

/** Every protocol that a local port can speak, by the name that a resource's view gives it. */
export const localProtocols: Readonly<Record<string, LocalProtocol>> = { postgres: localPostgres }
