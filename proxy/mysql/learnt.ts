import { capability, combine, commonCapabilities, intersect } from '../wire/mysql/capabilities.ts'
import type { Greeting } from '../wire/mysql/handshake.ts'

/** What clients are told of a target before it is reached. */
export type Told = Pick<Greeting, 'version' | 'charset' | 'capabilities'>

/** Drivers branch by it. utf8mb4_general_ci, which every server has. */
const ofAny: Told = { version: '8.0.40-sallyport', charset: 45, capabilities: commonCapabilities }
/** A target that has not been reached since then is asked for again. */
const mostTargets = 1000
const longestVersion = 128

/**
 * How targets greet, as of the last session: a client that will reach one of them for certain is greeted in the same way. What a
 * client may reach otherwise is not known before it has signed in, so it is told what any server has.
 */
export class Learnt {
  readonly #targets = new Map<string, Told>()

  /** @param resourceId the only one that the client can reach; undefined: not known yet */
  toldOf(resourceId: string | undefined): Told {
    return (resourceId === undefined ? undefined : this.#targets.get(resourceId)) ?? ofAny
  }

  learn(resourceId: string, { version, charset, capabilities }: Told): void {
    if (this.#targets.size >= mostTargets) this.#targets.clear()
    const offered = combine(commonCapabilities, capability.deprecateEof)
    const told = { version: version.slice(0, longestVersion), charset, capabilities: intersect(capabilities, offered) }
    this.#targets.set(resourceId, told)
  }
}
