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
}

/** What an operator reads on `/readyz` and in the log. */
export function whatToDo({ why, code }: Distrust, configFile: string): string[] {
  return [
    why,
    'nothing opens: stop the daemon, then either put back the newest store, or accept this one, which ends every grant, login ' +
      `and token: sallyport restore --config ${configFile} --confirm ${code}`,
  ]
}
