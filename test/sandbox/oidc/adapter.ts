type Payload = Record<string, unknown> & { uid?: string; grantId?: string; consumed?: number }

/**
 * Storage of one provider, in memory. `oidc-provider` has such a one, but warns of it on the console and keeps the client
 * fixed; here the client's metadata is asked for each time, so that redirect addresses may be added while it runs.
 * Expiry is judged by the provider itself, from the payload.
 */
export function createAdapter(clientMetadata: (id: string) => Payload | undefined): new (model: string) => object {
  const stored = new Map<string, Payload>()
  return class {
    readonly #model: string
    constructor(model: string) {
      this.#model = model
    }

    #key(id: string): string {
      return `${this.#model}:${id}`
    }

    async upsert(id: string, payload: Payload): Promise<void> {
      stored.set(this.#key(id), payload)
    }

    async find(id: string): Promise<Payload | undefined> {
      return this.#model === 'Client' ? clientMetadata(id) : stored.get(this.#key(id))
    }

    async findByUid(uid: string): Promise<Payload | undefined> {
      return [...stored].find(([key, payload]) => key.startsWith(`${this.#model}:`) && payload.uid === uid)?.[1]
    }

    async consume(id: string): Promise<void> {
      const payload = stored.get(this.#key(id))
      if (payload) payload.consumed = Math.floor(Date.now() / 1000)
    }

    async destroy(id: string): Promise<void> {
      stored.delete(this.#key(id))
    }

    async revokeByGrantId(grantId: string): Promise<void> {
      for (const [key, payload] of stored) if (payload.grantId === grantId) stored.delete(key)
    }
  }
}
