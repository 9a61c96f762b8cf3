import { type CancelAsk, firstStop, type SessionControls, type StopAsk, type StopResult } from '../../proxy/doorman.ts'
import { placeOf } from '../../proxy/place.ts'
import type { Daemons } from '../daemons/daemons.ts'
import type { Logger } from '../telemetry/logger.ts'
import { WrongKeys, type WrongKeysDeps } from './wrong-keys.ts'

/** The other daemons of the store. */
export interface StopsElsewhere {
  cancel(daemonNumber: number, ask: CancelAsk): Promise<boolean>
  /** @throws BrokerError PEER_UNREACHABLE when no daemon that answered has it */
  stop(ask: StopAsk): Promise<StopResult>
}

export interface StopsDeps extends WrongKeysDeps {
  readonly daemons: Pick<Daemons, 'number'>
  /** Undefined: there are none. */
  readonly peers?: StopsElsewhere
  readonly logger: Logger
  /** Of this daemon, by their number. */
  readonly fronts: readonly SessionControls[]
  /** A client had a wrong key. */
  onWrongKey(): void
}

/** What one connection asks of another session: by a key anyone who has it, by its number the person whose session it is. */
export class Stops {
  readonly #deps: StopsDeps
  readonly #wrongKeys: WrongKeys

  constructor(deps: StopsDeps) {
    this.#deps = deps
    this.#wrongKeys = new WrongKeys(deps)
  }

  /** @returns whether the key was right; wrong ones are counted, and block an address */
  async cancel(ask: CancelAsk): Promise<boolean> {
    const { address } = ask.origin
    // The client cannot tell wrong keys from right ones.
    const isRight = this.#wrongKeys.isBlocked(address) ? false : await this.#passCancel(ask)
    if (isRight !== false) return isRight === true // one that was not passed on says nothing of its key
    this.#wrongKeys.count(address)
    this.#deps.onWrongKey()
    return false
  }

  /** To the daemon that the key names. @returns undefined when it was not reached */
  async #passCancel(ask: CancelAsk): Promise<boolean | undefined> {
    const { peers, logger, daemons } = this.#deps
    const { daemon } = placeOf(ask.id)
    if (daemon === daemons.number) return await this.cancelHere(ask)
    try {
      return (await peers?.cancel(daemon, ask)) ?? false
    } catch (error) {
      logger.warn({ err: error, daemon }, 'a cancel did not reach the daemon that its key names')
      return undefined
    }
  }

  /** A cancel for a session of this daemon; another daemon may have received it, and counts the wrong keys. */
  async cancelHere(ask: CancelAsk): Promise<boolean> {
    const { daemon, front } = placeOf(ask.id)
    const { daemons, fronts } = this.#deps
    return daemon === daemons.number && ((await fronts[front]?.cancel(ask)) ?? false)
  }

  /** @throws BrokerError PEER_UNREACHABLE */
  async stop(ask: StopAsk): Promise<StopResult> {
    const here = await this.stopHere(ask)
    if (here === 'done') return here
    const elsewhere = (await this.#deps.peers?.stop(ask)) ?? 'unknown'
    return elsewhere === 'unknown' ? here : elsewhere
  }

  /** Of a session of this daemon; another daemon may have received it. */
  async stopHere(ask: StopAsk): Promise<StopResult> {
    return firstStop(await Promise.all(this.#deps.fronts.map((front) => front.stop(ask))))
  }
}
