import type { Duplex } from 'node:stream'
import { resetConnection } from '../../wire/mysql/encode.ts'
import { askPlain } from './ask-row.ts'
import { applySettings } from './session-settings.ts'
import type { Upstream } from './upstream.ts'

/** The level's settings, and how its target's answers are laid out. */
export interface ResetParts extends Pick<Upstream, 'capabilities'> {
  /** From {@link sessionSettings}. */
  readonly settings: readonly string[]
}

/** For the target's answers together. */
const resetMs = 10_000

/**
 * Resets the session at the target, and then sets again what the level has set, which the reset drops.
 * @returns the payload of the target's answer: an OK, or an error, after which nothing was reset
 * @throws BrokerError TARGET_REFUSED when the target does not take a setting again, TARGET_LOST …: the session must end, since it is
 *   without the limits of its level
 */
export async function resetSession(stream: Duplex, { capabilities, settings }: ResetParts): Promise<Buffer> {
  const signal = AbortSignal.timeout(resetMs)
  const answer = await askPlain(stream, resetConnection, signal)
  await applySettings({ stream, capabilities }, settings, signal)
  return answer
}
