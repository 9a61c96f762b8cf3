import type { StreamTo } from '../../../proxy/doorman.ts'
import { BrokerError, type EngineFacts } from '../../../proxy/session.ts'
import type { TcpRules } from '../../../proxy/tcp/rules.ts'
import { copyFacts } from './copy.ts'
import { type ForwardTarget, forwardText, isNeverReached, readHost } from './forward.ts'
import type { InstanceLevel } from './level.ts'
import { portForward } from './policies.ts'
import type { InstanceTarget } from './target.ts'

/** As the instance reaches its own. */
const sshServer: ForwardTarget = { host: 'localhost', port: 22 }

/** Where a stream leads, and by which rules. @throws BrokerError GRANT_DENIED when the level does not let it */
export function streamFacts(target: InstanceTarget, level: InstanceLevel, to: StreamTo): EngineFacts {
  if ('copy' in to) return copyFacts(target, level, to.copy)
  const { address, ...rules } = 'sshKey' in to ? sshRules(level, to.sshKey) : forwardRules(level, to)
  const { partition, account, region, instanceId, role } = target
  return {
    address,
    serverName: address.host,
    ca: null,
    isRecordingStrict: level.isRecordingStrict,
    ...(level.budget ? { budget: level.budget } : {}),
    // For one grant, so that the sessions of Session Manager bear the name of the person.
    via: {
      key: null,
      instances: [instanceId],
      place: { partition, account, region },
      document: portForward.name,
      role,
      isSpread: true,
    },
    rules: { ...rules, idleTimeoutMs: level.idleTimeoutMs } satisfies TcpRules,
  }
}

type Stream = Omit<TcpRules, 'idleTimeoutMs'> & { readonly address: ForwardTarget }

function sshRules({ ssh: mode, osUser: user }: InstanceLevel, key: string): Stream {
  if (mode === 'none')
    throw new BrokerError('GRANT_DENIED', 'this access level allows no SSH', { hint: 'Use: sallyport shell' })
  return { address: sshServer, detail: { ssh: mode, os_user: user }, ssh: { mode, user, key } }
}

function forwardRules(level: InstanceLevel, asked: ForwardTarget): Stream {
  const address = allowed(level, asked)
  return { address, detail: { forward: forwardText(address) } }
}

function allowed({ forward }: InstanceLevel, asked: ForwardTarget): ForwardTarget {
  const host = readHost(asked.host)
  if (host !== undefined && isNeverReached(host))
    throw new BrokerError('GRANT_DENIED', 'link-local addresses and metadata services are never reached')
  const found = forward.find((one) => one.host === host && one.port === asked.port)
  if (found) return found
  if (forward.length === 0) throw new BrokerError('GRANT_DENIED', 'this access level forwards no ports')
  const hint = `It forwards to ${forward.map(forwardText).join(', ')}.`
  throw new BrokerError('GRANT_DENIED', 'this access level does not forward to that host and port', { hint })
}
