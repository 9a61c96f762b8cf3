import type { RoleCredentials } from '../../contract/aws.ts'
import type { ApiClient } from '../api/api-client.ts'

/** A role, as the commands of `sallyport aws` name it. */
export interface RoleChoice {
  /** Full id, or its last part. */
  readonly resource: string
  readonly level: string | undefined
  /** For the recording. */
  readonly tool: string
}

export type { RoleCredentials }

/** @throws BrokerError with the broker's reason */
export async function fetchCredentials(
  api: ApiClient,
  { resource, level, tool }: RoleChoice,
): Promise<RoleCredentials> {
  return await api.call('POST /api/v1/aws/credentials', { body: { resource, level, tool } })
}

/** Short enough that an end of the grant is felt within the second, long enough that many tools cost one call. */
const freshMs = 500

/** Credentials for many askers on this machine: one call to the broker at a time, and its answer for half a second. */
export class SharedCredentials {
  readonly #fetch: () => Promise<RoleCredentials>
  readonly #now: () => number
  #asked: Promise<RoleCredentials> | undefined
  #askedAt = Number.NEGATIVE_INFINITY

  constructor(fetch: () => Promise<RoleCredentials>, now: () => number) {
    this.#fetch = fetch
    this.#now = now
  }

  get(): Promise<RoleCredentials> {
    if (this.#asked && this.#now() - this.#askedAt < freshMs) return this.#asked
    const asked = this.#fetch()
    this.#asked = asked
    this.#askedAt = this.#now()
    asked.catch(() => {
      if (this.#asked === asked) this.#asked = undefined
    })
    return asked
  }
}
