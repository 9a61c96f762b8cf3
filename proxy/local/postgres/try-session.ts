import { longestConnectMs } from '../../session.ts'
import { encodeStartup, terminate } from '../../wire/postgres/encode.ts'
import { type BrokerAsk, type BrokerSocket, openBrokerSocket } from '../broker-socket.ts'
import { pingRegularly, unanswered } from '../relay.ts'
import { readRefusal } from './refusal.ts'

/** The broker says itself when a target took too long. */
const answerTimeoutMs = longestConnectMs + 30_000

/**
 * Opens a session and ends it at once: only the broker knows whether and why it refuses, and it audits the refusal.
 * @throws BrokerError the refusal, with its reason and what to do
 */
export async function trySession(ask: BrokerAsk, startup: Readonly<Record<string, string>>): Promise<void> {
  const signal = AbortSignal.timeout(answerTimeoutMs)
  const broker = await openBrokerSocket(ask, signal)
  const pings = pingRegularly(broker.socket)
  try {
    const answer = readAnswer(broker, signal)
    broker.stream.write(encodeStartup(Object.entries(startup)))
    await answer
    broker.stream.end(terminate)
  } finally {
    clearInterval(pings)
    broker.socket.close(1000)
  }
}

function readAnswer({ stream }: BrokerSocket, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.on('data', (chunk: Buffer) => {
      const refusal = readRefusal(chunk)
      if (refusal === undefined) resolve()
      else if (refusal !== 'later') reject(refusal)
    })
    stream.once('error', reject)
    stream.once('close', () => reject(unanswered()))
    signal.addEventListener('abort', () => reject(unanswered('did not answer in time')), { once: true })
  })
}
