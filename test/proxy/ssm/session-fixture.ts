import type { Test } from 'tap'
import type { ChannelOptions } from '../../../proxy/ssm/channel.ts'
import { channelTicket } from '../../../src/aws/channel-ticket.ts'
import { type AccessKey, makeKey, startGateway } from '../../sandbox/ssm/gateway.ts'
import type { AgentOptions, SessionSpec } from '../../sandbox/ssm/work.ts'

export const target = 'i-0123456789abcdef0'

/** A command that any ^C ends once it has said so: a shell that only sleeps may miss one between two of its steps. */
export const untilInterrupted = 'trap exit INT; echo begun; while :; do sleep 0.1; done'

/** Options that open a session at a gateway of the test's own, and what that saw. */
export async function openSession(
  t: Test,
  spec: Partial<SessionSpec> & Pick<SessionSpec, 'sessionType'>,
  agent: Partial<AgentOptions> = {},
) {
  const gateway = await startGateway()
  t.teardown(() => gateway.close())
  const credentials = { key: makeKey() }
  gateway.keys.push(credentials.key)
  const started = gateway.start({ target, ...spec }, agent)
  const session = gateway.session(started.SessionId)
  let asked = 0
  const options: ChannelOptions = {
    ticket: async () => {
      asked += 1
      const { StreamUrl, TokenValue } = asked === 1 ? started : gateway.resume(started.SessionId)
      if (TokenValue === undefined) return null
      return channelTicket({ streamUrl: StreamUrl, token: TokenValue }, gateway.region, toCredentials(credentials.key))
    },
  }
  return {
    gateway,
    session,
    options,
    /** Signs with them from now on. */
    use: (key: AccessKey) => {
      gateway.keys.push(key)
      credentials.key = key
    },
    tickets: () => asked,
  }
}

function toCredentials({ accessKeyId, secretAccessKey, sessionToken }: AccessKey) {
  return { accessKeyId, secretAccessKey, sessionToken, expiresAt: Date.now() + 3_600_000 }
}
