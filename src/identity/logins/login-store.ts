import type { Macs } from '../../store/signed-rows.ts'
import type { Db } from '../../store/store.ts'
import { isSigned, type Row, signRow, type Unsigned } from '../signed-rows.ts'

export type LoginRow = Row<'logins'>
export type LoginStore = ReturnType<typeof createLoginStore>

const mostAtOnce = 500

/** Rows that the broker did not write are as good as none. */
export function createLoginStore(db: Db, keyring: Macs) {
  const all = () => db.selectFrom('logins').selectAll()
  const genuine = (row: LoginRow | undefined) => (row && isSigned(keyring, 'logins', row) ? row : undefined)
  return {
    byHash: async (hash: string) => genuine(await all().where('secret_hash', '=', hash).executeTakeFirst()),
    byId: async (id: string) => genuine(await all().where('id', '=', id).executeTakeFirst()),
    ofPrincipal: async (id: string) => (await all().where('principal_id', '=', id).execute()).filter(genuine),
    ofSid: async (sid: string) => (await all().where('sid', '=', sid).execute()).filter(genuine),
    /** Also forged ones: they too are to go. */
    over: async (now: number, idleSince: number) => {
      const isOver = all().where((e) => e.or([e('expires_at', '<=', now), e('seen_at', '<=', idleSince)]))
      const rows = await isOver.limit(mostAtOnce).execute()
      return rows.map((row) => ({ row, isGenuine: genuine(row) !== undefined }))
    },
    toProbe: async (now: number) =>
      (await all().where('probe_at', '<=', now).orderBy('probe_at').limit(mostAtOnce).execute()).filter(genuine),
    /** How many logins of these people cannot be probed; those who have none are left out. */
    countUnprobed: async (ids: readonly string[], now: number) => {
      if (ids.length === 0) return new Map<string, number>()
      const counts = await db
        .selectFrom('logins')
        .select(({ fn }) => ['principal_id', fn.countAll<number | bigint>().as('n')])
        .where('principal_id', 'in', ids)
        .where('refresh_token', 'is', null)
        .where('expires_at', '>', now)
        .groupBy('principal_id')
        .execute()
      return new Map(counts.map(({ principal_id: id, n }) => [id, Math.min(Number(n), mostAtOnce)]))
    },
    insertion: (row: Unsigned<'logins'>) =>
      db
        .insertInto('logins')
        .values(signRow(keyring, 'logins', row))
        .compile(),
    /** Unless the row has changed or gone since it was read. */
    replace: async (before: LoginRow, change: Partial<Omit<LoginRow, 'id' | 'mac' | 'refreshing_until'>>) => {
      const { mac, ...columns } = before
      const { refreshing_until: _, ...signed } = signRow(keyring, 'logins', { ...columns, ...change })
      const { numUpdatedRows } = await db
        .updateTable('logins')
        .set(signed)
        .where('id', '=', before.id)
        .where('mac', '=', mac)
        .executeTakeFirst()
      return numUpdatedRows > 0n
    },
    /** Takes the refresh of a login, until an instant. @returns the login; undefined when another daemon has it, or it is gone */
    holdRefresh: async (id: string, now: number, until: number) =>
      genuine(
        await db
          .updateTable('logins')
          .set({ refreshing_until: until })
          .where('id', '=', id)
          .where((e) => e.or([e('refreshing_until', 'is', null), e('refreshing_until', '<=', now)]))
          .returningAll()
          .executeTakeFirst(),
      ),
    releaseRefresh: async (id: string, until: number) => {
      const held = db.updateTable('logins').set({ refreshing_until: null }).where('id', '=', id)
      await held.where('refreshing_until', '=', until).execute()
    },
    delete: async (id: string) => {
      await db.deleteFrom('logins').where('id', '=', id).execute()
    },
  }
}
