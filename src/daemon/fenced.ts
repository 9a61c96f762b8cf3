import { BrokerError } from '../../proxy/session.ts'
import type { Parts } from './parts.ts'
import { endAtOnce, type Stopping } from './stopping.ts'

/** Ends this stage of the daemon when the others no longer count on it. */
export function endWhenFenced(parts: Parts, life: Stopping): void {
  const { daemons, logger } = parts
  daemons.onFenced = (why) => {
    logger.error({ daemon: daemons.id, why }, 'fenced: this daemon was given up or replaced; its sessions end')
    const refusal = new BrokerError('STORE_UNAVAILABLE', 'other daemons have given this one up')
    endAtOnce(parts, life, refusal, 'the broker was cut off from its other daemons for too long; connect again')
  }
}

/** Why this daemon must end: another process runs in its stead. */
export function replaced({ config, daemons }: Parts): BrokerError | undefined {
  if (daemons.fenced !== 'replaced') return undefined
  const text = `another process runs as ${daemons.id}, the daemon of ${config.stateDir}`
  return new BrokerError('STORE_UNAVAILABLE', text, { hint: 'Each daemon needs a state.dir of its own.' })
}
