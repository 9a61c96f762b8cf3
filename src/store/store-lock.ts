import { setTimeout } from 'node:timers/promises'
import pg from 'pg'
import { BrokerError } from '../../proxy/session.ts'

/** `sallyport` in ASCII, as far as it fits into 32 bits, and what is locked: two keys of an advisory lock of this database. */
const key = [0x73616c79, 1]

interface Holder {
  readonly pid: number
  /** Text, as `pg_stat_activity` has it. */
  readonly since: string
}

/** Held by a connection of the daemon that uses the store, so that a second one is refused, and free as soon as that daemon is gone. */
export class StoreLock {
  readonly #options: pg.ClientConfig
  #client: pg.Client | undefined
  /** The server's side of the last connection, which may outlive a broken network. */
  #last: Holder | undefined
  #taking: Promise<void> | undefined

  constructor(options: pg.ClientConfig) {
    this.#options = options
  }

  /**
   * Takes it, or asks whether it is held still.
   * @param patienceMs how long another holder may take to release it
   * @throws BrokerError STORE_UNAVAILABLE when another daemon holds it
   */
  take(patienceMs = 0): Promise<void> {
    this.#taking ??= this.#take(patienceMs).finally(() => {
      this.#taking = undefined
    })
    return this.#taking
  }

  async #take(patienceMs: number): Promise<void> {
    const held = this.#client
    if (!held) return await this.#connect(patienceMs)
    try {
      await held.query('select 1')
    } catch (error) {
      await close(held)
      throw error
    }
  }

  async #connect(patienceMs: number): Promise<void> {
    const client = new pg.Client(this.#options)
    const forget = () => {
      if (this.#client === client) this.#client = undefined
    }
    client.on('error', forget)
    client.on('end', forget)
    try {
      await client.connect()
      const isTaken = (await tryLock(client, patienceMs)) || (await this.#endLast(client))
      if (!isTaken)
        throw new BrokerError(
          'STORE_UNAVAILABLE',
          `the database ${this.#options.database} on ${this.#options.host} is in use by another daemon`,
        )
      this.#last = await holderOf(client)
      this.#client = client
    } catch (error) {
      await close(client)
      throw error
    }
  }

  /** @returns whether the lock was this daemon's own, left behind by a connection that broke, and is taken now */
  async #endLast(client: pg.Client): Promise<boolean> {
    if (!this.#last) return false
    const { pid, since } = this.#last
    const { rows } = await client.query(
      'select pg_terminate_backend(pid, 2000) as ended from pg_stat_activity where pid = $1 and backend_start::text = $2',
      [pid, since],
    )
    return rows[0]?.ended === true && (await tryLock(client))
  }

  async release(): Promise<void> {
    const client = this.#client
    if (!client) return
    await client.query('select pg_advisory_unlock($1, $2)', key).catch(() => undefined) // else its end releases it
    await close(client)
  }
}

async function tryLock(client: pg.Client, patienceMs = 0): Promise<boolean> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    const { rows } = await client.query<{ taken: boolean }>('select pg_try_advisory_lock($1, $2) as taken', key)
    if (rows[0]?.taken === true) return true
    if (performance.now() >= deadline) return false
    await setTimeout(100)
  }
}

async function holderOf(client: pg.Client): Promise<Holder | undefined> {
  const { rows } = await client.query<Holder>(
    'select pid, backend_start::text as since from pg_stat_activity where pid = pg_backend_pid()',
  )
  return rows[0]
}

/** Its `end` event forgets it. */
async function close(client: pg.Client): Promise<void> {
  await client.end().catch(() => undefined) // it is broken already
}
