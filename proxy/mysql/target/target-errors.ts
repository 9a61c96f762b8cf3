import { BrokerError } from '../../session.ts'
import type { ErrorReply } from '../../wire/mysql/encode.ts'
import { MysqlRefusal } from '../mysql-refusal.ts'

const accountHint =
  'The target did not accept the IAM sign-in. Check that IAM authentication is enabled, that the database user is IDENTIFIED WITH AWSAuthenticationPlugin, and that the broker’s role allows rds-db:connect as this user.'
const busyHint = 'The target has no free connections; try again later.'

const hints: Readonly<Partial<Record<number, string>>> = {
  1040: busyHint,
  1045: accountHint,
  1129: 'The target blocks the broker’s address after too many failed connections: FLUSH HOSTS there, and look for the cause.',
  1203: busyHint,
  1226: busyHint,
  1698: accountHint,
}

/** Errors in place of the greeting come without one. */
const states: Readonly<Partial<Record<number, string>>> = { 1040: '08004', 1053: '08S01', 1203: '42000', 1226: '42000' }

/** Unknown database, or one that the database user may not use. */
const ofDatabase = new Set([1044, 1049])
/** These say more to a client than our own: it may try again later. */
const passing = new Set([1040, 1053, 1129, 1203, 1226])

/** An ERR in answer to our greeting or sign-in. The server's message is shown: it names the user and database, no secret. */
export function refusedSignIn({ number, state: said, message }: ErrorReply): BrokerError {
  const state = states[number] ?? said
  const text = message.replace(/[\p{Cc}\p{Cf}]/gu, ' ').slice(0, 300)
  const detail = `${text} (${number}, ${isState(state) ? state : 'no SQLSTATE'})`
  const options = { hint: hints[number] }
  if (ofDatabase.has(number)) return new BrokerError('DATABASE_DENIED', detail, options)
  return passing.has(number) && isState(state)
    ? new MysqlRefusal('TARGET_REFUSED', { number, state }, detail, options)
    : new BrokerError('TARGET_REFUSED', detail, options)
}

function isState(state: string): boolean {
  return /^[0-9A-Z]{5}$/.test(state)
}

/** The user exists, but proves itself in another way: the token must not be sent there. */
export function notIam(how: string): BrokerError {
  const hint =
    'Create the database user with IDENTIFIED WITH AWSAuthenticationPlugin AS ‘RDS’, and enable IAM authentication on the database.'
  return new BrokerError('TARGET_REFUSED', `it ${how} instead of asking for an IAM token`, { hint })
}
