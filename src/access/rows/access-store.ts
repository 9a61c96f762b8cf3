import { type RawBuilder, type SqlBool, sql } from 'kysely'
import { BrokerError } from '../../../proxy/session.ts'
import { compiledOnce } from '../../store/compiled-once.ts'
import type { Keyring } from '../../store/keyring.ts'
import { countRows, type ListQuery, matching, readCursor } from '../../store/lists.ts'
import { type Db, readOne } from '../../store/store.ts'
import type { AccessRequest, StageDecision } from '../requests/request.ts'
import { accessStatements } from './access-statements.ts'
import type { AccessTables } from './access-tables.ts'
import { isSigned, rowToDecision, rowToGrant, rowToRequest, type StoredGrant } from './rows.ts'

/** A row as it was found: `isSigned` false means that the broker did not write it. */
export interface Found<T> {
  readonly value: T
  readonly isSigned: boolean
}

/** A request in a list that is made for one principal. */
export interface FoundRequest extends Found<AccessRequest> {
  /** By this principal. */
  readonly hasDecided: boolean
  /** By anyone. */
  readonly isUndecided: boolean
}

/** What one step of a request writes, all of it or nothing. Its version is that of the new row, which replaces the one before. */
export interface RequestStep {
  readonly request: AccessRequest
  readonly decision?: StageDecision
}

/** A list of grants or requests. */
export interface AccessQuery extends ListQuery {
  /** Also those that are over. */
  readonly all?: boolean
  /** Of requests: only those of one's own box. */
  readonly box?: 'decide' | 'mine' | 'decided'
  /** Of grants: only those with a session that reached its target, or without any. */
  readonly used?: boolean
}

const grantColumns = { at: 'starts_at', principal: ['principal_id'], resource: 'resource_id' }
const requestColumns = { at: 'created_at', principal: ['requester_id', 'beneficiary_id'], resource: 'resource_id' }

function wasUsed({ used }: AccessQuery): RawBuilder<SqlBool> {
  if (used === undefined) return sql<SqlBool>`1 = 1`
  const reached = sql`select 1 from sessions where sessions.grant_id = grants.id and sessions.started_at is not null`
  return used ? sql<SqlBool>`exists (${reached})` : sql<SqlBool>`not exists (${reached})`
}

/** Queries of src/access. Everything is signed on its way in, and checked on its way out. Throws STORE_UNAVAILABLE. */
export function createAccessStore(db: Db, keyring: Pick<Keyring, 'mac' | 'checkMac'>) {
  const foundGrant = (row: AccessTables['grants']): Found<StoredGrant> => ({
    value: rowToGrant(row),
    isSigned: isSigned(keyring, 'grants', row),
  })
  const foundRequest = (row: AccessTables['requests']): Found<AccessRequest> => ({
    value: rowToRequest(row),
    isSigned: isSigned(keyring, 'requests', row),
  })
  const statements = accessStatements(db, keyring)
  const grantById = compiledOnce((id: string) => db.selectFrom('grants').selectAll().where('id', '=', id).compile())
  return {
    ...statements,
    grant: (id: string) =>
      reach(async () => {
        const row = await readOne(db, grantById(id))
        return row && foundGrant(row)
      }),
    grantsOn: (principalId: string, resourceId: string, limit: number) =>
      reach(async () => {
        const select = db.selectFrom('grants').selectAll().where('principal_id', '=', principalId)
        const rows = await select
          .where('resource_id', '=', resourceId)
          .orderBy('ends_at', 'desc')
          .limit(limit)
          .execute()
        return rows.map(foundGrant)
      }),
    /** Newest first. */
    listGrants: (query: AccessQuery, cursor: string | undefined, limit: number) =>
      reach(async () => {
        let select = db.selectFrom('grants').selectAll().where(matching(query, grantColumns)).where(wasUsed(query))
        if (!query.all) select = select.where('state', '=', 'active')
        if (cursor !== undefined) select = select.where('id', '<', readCursor(cursor, /^grt_[0-9a-z]{26}$/))
        return (await select.orderBy('id', 'desc').limit(limit).execute()).map(foundGrant)
      }),
    countGrants: (query: AccessQuery, most: number) =>
      reach(async () => {
        const select = db
          .selectFrom('grants')
          .select('id')
          .where(matching(query, grantColumns))
          .where(wasUsed(query))
          .limit(most)
        return await countRows(db, query.all ? select : select.where('state', '=', 'active'))
      }),
    activeGrants: () =>
      reach(async () => {
        const rows = await db.selectFrom('grants').selectAll().where('state', '=', 'active').execute()
        return rows.map(foundGrant)
      }),
    grantOfRequest: (requestId: string) =>
      reach(async () => {
        const row = await db.selectFrom('grants').selectAll().where('request_id', '=', requestId).executeTakeFirst()
        return row && foundGrant(row)
      }),
    /** @returns whether the row still had the version before */
    replaceGrant: (grant: StoredGrant) =>
      reach(async () => (await db.executeQuery(statements.replacingGrant(grant))).rows.length > 0),

    request: (id: string) =>
      reach(async () => {
        const row = await db.selectFrom('requests').selectAll().where('id', '=', id).executeTakeFirst()
        return row && foundRequest(row)
      }),
    /** Newest first. */
    pendingRequests: () =>
      reach(async () => {
        const select = db.selectFrom('requests').selectAll().where('status', '=', 'pending')
        return (await select.orderBy('id', 'desc').execute()).map(foundRequest)
      }),
    /** Newest first. @param by whose box it is, and of whom each says whether they have decided it */
    listRequests: (query: AccessQuery, by: string, cursor: string | undefined, limit: number) =>
      reach(async (): Promise<FoundRequest[]> => {
        const decision = sql`select 1 from decisions where request_id = requests.id`
        const byThem = sql<SqlBool>`exists (${decision} and principal_id = ${by})`
        const byAnyone = sql<SqlBool>`exists (${decision})`
        let select = db
          .selectFrom('requests')
          .selectAll()
          .select([byThem.as('by_them'), byAnyone.as('by_anyone')])
        select = select.where(matching(query, requestColumns))
        if (query.box === 'mine') select = select.where(matching({ principalId: by }, requestColumns))
        if (query.box === 'decided') select = select.where(byThem)
        if (!query.all) select = select.where('status', '=', 'pending')
        if (cursor !== undefined) select = select.where('id', '<', readCursor(cursor, /^req_[0-9a-z]{26}$/))
        const rows = await select.orderBy('id', 'desc').limit(limit).execute()
        return rows.map(({ by_them, by_anyone, ...row }) => ({
          ...foundRequest(row),
          hasDecided: Boolean(by_them),
          isUndecided: !by_anyone,
        }))
      }),
    countRequests: (query: AccessQuery, most: number) =>
      reach(async () => {
        const select = db.selectFrom('requests').select('id').where(matching(query, requestColumns)).limit(most)
        return await countRows(db, query.all ? select : select.where('status', '=', 'pending'))
      }),
    /** Those of this beneficiary for one resource that were denied since then, epoch milliseconds. */
    countDenied: (of: { principalId: string; resourceId: string; since: number }, most: number) =>
      reach(async () => {
        const select = db.selectFrom('requests').select('id').where('beneficiary_id', '=', of.principalId)
        const denied = select.where('resource_id', '=', of.resourceId).where('status', '=', 'denied')
        return await countRows(db, denied.where('ended_at', '>=', of.since).limit(most))
      }),
    /** Those that carry a valid MAC, oldest first. */
    decisions: (requestId: string) =>
      reach(async () => {
        const select = db.selectFrom('decisions').selectAll().where('request_id', '=', requestId)
        const rows = await select.orderBy('id').execute()
        return rows.filter((row) => isSigned(keyring, 'decisions', row)).map(rowToDecision)
      }),
    /** Whether the row still had the version before; otherwise nothing was written. */
    advanceRequest: (step: RequestStep): Promise<boolean> =>
      reach(() =>
        db.transaction().execute(async (trx) => {
          const { rows } = await trx.executeQuery(statements.advancingRequest(step.request))
          if (rows.length === 0) return false
          if (step.decision) await trx.executeQuery(statements.insertingDecision(step.decision))
          return true
        }),
      ),

    lastRevision: () =>
      reach(async () => {
        const row = await db.selectFrom('rule_revisions').selectAll().orderBy('id', 'desc').limit(1).executeTakeFirst()
        return row && isSigned(keyring, 'rule_revisions', row) ? row : undefined
      }),
  }
}

export type AccessStore = ReturnType<typeof createAccessStore>

async function reach<T>(query: () => Promise<T>): Promise<T> {
  try {
    return await query()
  } catch (cause) {
    if (cause instanceof BrokerError) throw cause
    throw new BrokerError('STORE_UNAVAILABLE', undefined, { cause })
  }
}
