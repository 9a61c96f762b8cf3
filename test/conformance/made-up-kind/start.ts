import { readFileSync } from 'node:fs'
import type { PostgresRules } from '../../../proxy/postgres/rules.ts'
import type { EngineFacts } from '../../../proxy/session.ts'
import { heldBy } from '../../../src/catalog/kind.ts'
import type { KindParts, RunningKind } from '../../../src/kinds/module.ts'
import { madeUpThing } from './kind.ts'

const rules: PostgresRules = { databases: ['*'], defaultDatabase: 'orders', statementTimeoutMs: 0, maxRows: 0 }

export async function start({ clock, sessions }: KindParts): Promise<RunningKind> {
  return {
    permit: (held): EngineFacts<PostgresRules> => {
      const { port, server_name: serverName, ca } = heldBy(madeUpThing, held).target
      return { address: { host: '127.0.0.1', port }, serverName, ca: readFileSync(ca, 'utf8'), rules }
    },
    lease: async (sessionId) => {
      const { level } = heldBy(madeUpThing, sessions.known(sessionId).held)
      return { user: level.role, secret: 'made up', expiresAt: clock.now() + 60_000 }
    },
  }
}
