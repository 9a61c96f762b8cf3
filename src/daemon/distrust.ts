import { BrokerError } from '../../proxy/session.ts'

/** What clients of a broker are told that does not trust its store. Why is on `/readyz` and in its log. */
export function restoreUnconfirmed(cause?: string): BrokerError {
  return new BrokerError('RESTORE_UNCONFIRMED', undefined, {
    ...(cause === undefined ? {} : { cause: new Error(cause) }),
    hint: 'Ask the operators of the broker: /readyz says why, and what to run.',
  })
}

export interface Distrust {
  readonly why: string
  /** What `restore --confirm` expects. */
  readonly code: string
  /** Whether several daemons may be on it. */
  readonly isShared: boolean
}

/** What an operator reads on `/readyz` and in the log. */
export function whatToDo({ why, code, isShared }: Distrust, configFile: string): string[] {
  const [stop, accept] = isShared
    ? ['stop every daemon on the store', 'accept this one for each of them before any starts']
    : ['stop the daemon', 'accept this one']
  return [
    why,
    `nothing opens: ${stop}, then either put back the newest store, or ${accept}, which ends every grant, login ` +
      `and token: sallyport restore --config ${configFile} --confirm ${code}`,
  ]
}
