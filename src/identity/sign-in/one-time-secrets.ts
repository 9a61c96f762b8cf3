import { createHash, randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { prefixOf, withoutMapping } from '../../../proxy/ports/source-address.ts'
import { BrokerError } from '../../../proxy/session.ts'
import type { Keyring } from '../../store/keyring.ts'
import type { Db } from '../../store/store.ts'
import type { Clock } from '../../telemetry/clock.ts'
import type { SignInTables } from './sign-in-tables.ts'

export interface OneTimeSecretsDeps {
  readonly db: Db
  readonly keyring: Pick<Keyring, 'seal' | 'unseal' | 'derive'>
  readonly clock: Clock
}

export interface OneTimeSecretsOptions {
  /** Of one purpose they are told apart from all others, and counted together. */
  readonly purpose: string
  /** How long an entry waits, ms. */
  readonly ttlMs: number
  /** Entries in all, and from one address (IPv6: one /64). Puts that are under way at once may go past it by their number. */
  readonly most: number
  readonly mostPerAddress: number
}

/**
 * Things that wait in the store for a secret to come back, at whichever daemon: few, short-lived, each taken at most once. Of
 * the secret only the SHA-256 is kept, and what waits is sealed: reading the store reveals neither, and writing to it makes none.
 */
export interface OneTimeSecrets<T> {
  /** @returns the secret, 43 characters of base64url. @throws BrokerError RATE_LIMITED when too many wait */
  put(value: T, address: string): Promise<string>
  /** Under a second, shorter secret too, for {@link OneTimeSecrets.find}. @returns undefined when that is taken */
  putAs(alias: string, value: T, address: string): Promise<string | undefined>
  /** What waits for this secret, left where it is. */
  peek(secret: string): Promise<T | undefined>
  take(secret: string): Promise<T | undefined>
  /** Counts a try, unless there were `most` already. @returns whether this one may be made, and how many are left after it */
  addTry(secret: string, most: number): Promise<{ readonly left: number } | undefined>
  /** Notes a poll. `early`: it came less than `leastMs` after the one before. */
  poll(secret: string, leastMs: number): Promise<{ readonly value: T } | 'early' | undefined>
  find(alias: string): Promise<T | undefined>
  /** Unless it was taken or changed meanwhile, or `change` returns undefined. @returns whether it is changed */
  update(alias: string, change: (value: T) => T | undefined): Promise<boolean>
}

type Entry = SignInTables['one_time_secrets']

/** @typeParam T plain JSON */
export function createOneTimeSecrets<T>(deps: OneTimeSecretsDeps, options: OneTimeSecretsOptions): OneTimeSecrets<T> {
  const { db, keyring, clock } = deps
  const { purpose, ttlMs, most, mostPerAddress } = options
  const sealPurpose = (key: string) => `one-time-secret:${purpose}:${key}`
  const seal = (key: string, sealed: Sealed<T>) => keyring.seal(sealPurpose(key), Buffer.from(JSON.stringify(sealed)))
  /** What the broker sealed counts, whatever the row says; one that it did not write is as good as none. */
  const open = (entry: Pick<Entry, (typeof opened)[number]> | undefined): Sealed<T> | undefined => {
    const sealed = entry && unsealed<T>(keyring, sealPurpose(entry.digest), entry.payload)
    return sealed && clock.now() < sealed.until && (sealed.alias ?? null) === entry.alias ? sealed : undefined
  }
  const aliasOf = (alias: string) => keyring.derive(`one-time-alias:${purpose}`, alias).toString('base64url')
  const live = () => db.selectFrom('one_time_secrets').selectAll().where('purpose', '=', purpose)
  const update = () =>
    db.updateTable('one_time_secrets').where('purpose', '=', purpose).where('expires_at', '>', clock.now())
  const byAlias = async (alias: string) =>
    await live().where('alias', '=', aliasOf(alias)).where('expires_at', '>', clock.now()).executeTakeFirst()
  const insert = async (value: T, address: string, alias: string | null) => {
    const secret = randomBytes(32).toString('base64url')
    const now = clock.now()
    const key = digest(secret)
    const entry: Entry = {
      digest: key,
      purpose,
      alias,
      network: prefixOf(withoutMapping(address)),
      payload: seal(key, { value, until: now + ttlMs, alias }),
      tries: 0,
      polled_at: 0,
      expires_at: now + ttlMs,
    }
    return (await insertWithin(db, entry, { most, mostPerAddress, now })) ? secret : undefined
  }
  return {
    put: async (value, address) => (await insert(value, address, null)) ?? tooMany(),
    putAs: async (alias, value, address) =>
      (await insert(value, address, aliasOf(alias))) ?? ((await byAlias(alias)) ? undefined : tooMany()),
    peek: async (secret) => {
      const entry = await live().where('digest', '=', digest(secret)).executeTakeFirst()
      return open(entry)?.value
    },
    take: async (secret) => {
      const taken = await db
        .deleteFrom('one_time_secrets')
        .where('purpose', '=', purpose)
        .where('digest', '=', digest(secret))
        .returning(opened)
        .executeTakeFirst()
      return open(taken)?.value
    },
    addTry: async (secret, mostTries) => {
      const counted = await update()
        .set((e) => ({ tries: e('tries', '+', 1) }))
        .where('digest', '=', digest(secret))
        .where('tries', '<', mostTries)
        .returning('tries')
        .executeTakeFirst()
      return counted && { left: mostTries - counted.tries }
    },
    poll: async (secret, leastMs) => {
      const now = clock.now()
      const noted = () => update().set({ polled_at: now }).where('digest', '=', digest(secret))
      const polled = await noted()
        .where('polled_at', '<=', now - leastMs)
        .returning(opened)
        .executeTakeFirst()
      if (polled) {
        const sealed = open(polled)
        return sealed && { value: sealed.value }
      }
      return (await noted().returning('digest').executeTakeFirst()) ? 'early' : undefined
    },
    find: async (alias) => open(await byAlias(alias))?.value,
    update: async (alias, change) => {
      const entry = await byAlias(alias)
      const before = open(entry)
      const value = before && change(before.value)
      if (!entry || !before || value === undefined) return false
      const { numUpdatedRows } = await update()
        .set({ payload: seal(entry.digest, { ...before, value }) })
        .where('digest', '=', entry.digest)
        .where('payload', '=', entry.payload)
        .executeTakeFirst()
      return numUpdatedRows > 0n
    },
  }
}

/** Removes what has expired. */
export async function expireOneTimeSecrets(db: Db, now: number): Promise<void> {
  await db.deleteFrom('one_time_secrets').where('expires_at', '<=', now).execute()
}

interface Sealed<T> {
  readonly value: T
  readonly until: number
  /** Of the row, so that nobody is led to what waits for another: else one could approve a sign-in that is not theirs. */
  readonly alias: string | null
}

/** Columns of what is opened. */
const opened = ['digest', 'payload', 'alias'] as const

function unsealed<T>(keyring: Pick<Keyring, 'unseal'>, purpose: string, payload: Uint8Array): Sealed<T> | undefined {
  try {
    return JSON.parse(keyring.unseal(purpose, payload).toString()) as Sealed<T>
  } catch {
    return undefined
  }
}

interface Bounds extends Pick<OneTimeSecretsOptions, 'most' | 'mostPerAddress'> {
  readonly now: number
}

/** @returns false when too many wait, or when the alias is taken */
async function insertWithin(db: Db, entry: Entry, { most, mostPerAddress, now }: Bounds): Promise<boolean> {
  const columns = Object.keys(entry).map((column) => sql.ref(column))
  const waiting = sql`select count(*) from one_time_secrets where purpose = ${entry.purpose} and expires_at > ${now}`
  const { rows } =
    await sql`insert into one_time_secrets (${sql.join(columns)}) select ${sql.join(Object.values(entry))}
    where (${waiting}) < ${most} and (${waiting} and network = ${entry.network}) < ${mostPerAddress}
    on conflict do nothing returning digest`.execute(db)
  return rows.length > 0
}

function tooMany(): never {
  throw new BrokerError('RATE_LIMITED', 'too many sign-ins are waiting')
}

function digest(secret: string): string {
  return createHash('sha256').update(secret).digest('base64')
}
