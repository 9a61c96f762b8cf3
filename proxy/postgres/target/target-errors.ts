import { BrokerError } from '../../session.ts'
import { decodeErrorFields } from '../../wire/postgres/decode.ts'
import { TargetRefusal } from '../target-refusal.ts'

const hints: Readonly<Partial<Record<string, string>>> = {
  '28': 'The target rejected the IAM token. Check that IAM authentication is enabled, that the database user has the role rds_iam, and that the broker’s role allows rds-db:connect as this user.',
  '53300': 'The target has no free connections; try again later.',
  '57P03': 'The target is starting, stopping or recovering; try again later.',
}

/** States that say more to a client than ours: it may try again later (53, 57P, 58), or change a setting of its own (22, 55). */
const passing = /^(?:22|53|55|57P0|58)/

/** An ErrorResponse in answer to our sign-in. The server's message is shown: it names the user and database, no secret. */
export function refusedSignIn(body: Buffer): BrokerError {
  const { C: state = '', M: message = '' } = decodeErrorFields(body)
  const text = message.replace(/[\p{Cc}\p{Cf}]/gu, ' ').slice(0, 300)
  const detail = `${text} (${isState(state) ? state : 'no SQLSTATE'})`
  const hint = hints[state.startsWith('28') ? '28' : state]
  // 3D000: there is no such database; 42501: the database user may not connect to it.
  const code = state === '3D000' || state === '42501' ? 'DATABASE_DENIED' : 'TARGET_REFUSED'
  const options = hint === undefined ? {} : { hint }
  return passing.test(state) && isState(state)
    ? new TargetRefusal(state, detail, options)
    : new BrokerError(code, detail, options)
}

function isState(state: string): boolean {
  return /^[0-9A-Z]{5}$/.test(state)
}
