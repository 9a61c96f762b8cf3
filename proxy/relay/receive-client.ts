import type { Duplex } from 'node:stream'
import type { Doorman } from '../doorman.ts'
import { type ClientOrigin, toErrorFacts } from '../session.ts'
import { ClientLeft, ClientLine } from '../streams/client-line.ts'
import { endWith } from '../streams/farewell.ts'
import type { KnownClient, ProtocolParts } from './protocol.ts'
import { toBrokerError, type Words } from './words.ts'

const defaultSignInMs = 30_000

export interface ReceivingParts extends Pick<ProtocolParts, 'onRefused' | 'signInMs'> {
  readonly host: { readonly doorman: Doorman }
}

export interface Receiving<T> {
  readonly parts: ReceivingParts
  readonly words: Words
  /** The protocol's sign-in. `identified` is called as soon as the client is known, so that later failures are attributed to it. */
  signIn(line: ClientLine, identified: (known: KnownClient) => void): Promise<T>
}

/**
 * Takes a client through its sign-in. A failure is reported to the client (except during the TLS handshake, when it could not
 * understand it), to `onRefused` and to the doorman, and the connection is ended: flushed, then destroyed within 2 s. A client
 * that disconnects is only destroyed. Never rejects.
 * @returns undefined when the client was refused or disconnected; there is nothing more to do
 */
export async function receiveClient<T>(
  stream: Duplex,
  from: KnownClient | { readonly client: ClientOrigin },
  { parts, words, signIn }: Receiving<T>,
): Promise<T | undefined> {
  const { host, onRefused, signInMs = defaultSignInMs } = parts
  const line = new ClientLine(stream, signInMs)
  let who = from
  try {
    const received = await signIn(line, (known) => {
      who = known
    })
    line.release()
    return received
  } catch (thrown) {
    line.release() // first: a stream with a listener for `readable` does not flow
    if (thrown instanceof ClientLeft) {
      line.destroy()
      return undefined
    }
    const refusal = toBrokerError(thrown)
    if ('identity' in who) host.doorman.refused(who, toErrorFacts(refusal))
    else host.doorman.unidentifiedClientFailed(refusal.code, who.client)
    onRefused(refusal, who.client)
    if (line.canReply) endWith(line.stream, words.error(refusal))
    else line.destroy()
    return undefined
  }
}
