import { BrokerError } from '../../session.ts'
import { decodeErrorFields } from '../../wire/postgres/decode.ts'

const hints: Readonly<Partial<Record<string, string>>> = {
  '28': 'The target rejected the IAM token. Check that IAM authentication is enabled, that the database user has the role rds_iam, and that the broker’s role allows rds-db:connect as this user.',
  '53300': 'The target has no free connections; try again later.',
  '57P03': 'The target is starting, stopping or recovering; try again later.',
}

/** An ErrorResponse in answer to our sign-in. The server's message is shown: it names the user and database, no secret. */
export function refusedSignIn(body: Buffer): BrokerError {
  const { C: state = '', M: message = '' } = decodeErrorFields(body)
  const text = message.replace(/[\p{Cc}\p{Cf}]/gu, ' ').slice(0, 300)
  const detail = `${text} (${/^[0-9A-Z]{5}$/.test(state) ? state : 'no SQLSTATE'})`
  const hint = hints[state.startsWith('28') ? '28' : state]
  // 3D000: there is no such database; 42501: the database user may not connect to it.
  const code = state === '3D000' || state === '42501' ? 'DATABASE_DENIED' : 'TARGET_REFUSED'
  return new BrokerError(code, detail, hint === undefined ? {} : { hint })
}
