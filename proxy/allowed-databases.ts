import { BrokerError } from './session.ts'

/** @param databases of an access level; `*` stands for all */
export function coversDatabase(databases: readonly string[], database: string): boolean {
  return databases.includes('*') || databases.includes(database)
}

/** @throws BrokerError DATABASE_DENIED */
export function checkDatabase(databases: readonly string[], database: string): void {
  if (coversDatabase(databases, database)) return
  throw new BrokerError('DATABASE_DENIED', database, {
    hint: `This access level covers ${databases.slice(0, 20).join(', ')}.`,
  })
}
