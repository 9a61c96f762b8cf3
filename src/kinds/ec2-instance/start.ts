import { BrokerError } from '../../../proxy/session.ts'
import type { ShellRules } from '../../../proxy/shell/rules.ts'
import { createShellHistoryReader } from '../../aws/estate/shell-history.ts'
import { heldBy } from '../../catalog/kind.ts'
import type { KindParts, RunningKind } from '../module.ts'
import { ShellChannels } from './channels.ts'
import { unsupported } from './found/facts.ts'
import { ec2Instance } from './kind.ts'
import { streamFacts } from './streams.ts'
import type { InstanceTarget } from './target.ts'
import { readUses } from './uses.ts'

const endLeftMs = 60_000

export async function start(parts: KindParts): Promise<RunningKind> {
  const { config, sessions } = parts
  const channels = new ShellChannels(parts)
  const { aws } = config
  const usesDeps = {
    readHistory: createShellHistoryReader({ ...parts, config: aws }),
    spokeOf: (account: string) => aws.accounts[account]?.connectRole ?? aws.connectRole,
    reachRole: aws.reachRole,
  }
  return {
    channels,
    permit: (held, to) => {
      const { target, level } = heldBy(ec2Instance, held)
      const reason = unsupported(target.facts)
      if (reason !== null) throw new BrokerError('UNSUPPORTED', `${target.instanceId}: ${reason}`)
      if (to) return streamFacts(target, level, to)
      const rules: ShellRules = {
        isEncrypted: level.kmsKey !== null,
        recordsInput: level.recordsInput,
        idleTimeoutMs: level.idleTimeoutMs,
        detail: { os_user: level.osUser, document: level.document },
        commandDetail: level.commands && { os_user: level.osUser, document: level.commands.document },
      }
      return {
        address: { host: target.instanceId, port: 0 }, // never dialled: it is reached by websockets of AWS
        serverName: target.instanceId,
        ca: null,
        isRecordingStrict: level.isRecordingStrict,
        ...(level.budget ? { budget: level.budget } : {}),
        rules,
      }
    },
    validate: async (preflight) => {
      const { validateInstance } = await import('./validate.ts')
      return await validateInstance(preflight, channels.look(sessions.known(preflight.permit.sessionId)))
    },
    uses: (target, range, signal) => readUses(usesDeps, target as InstanceTarget, range, signal),
    chores: [
      {
        what: 'end shells at AWS that could not be ended',
        everyMs: endLeftMs,
        per: 'daemon',
        run: () => channels.endLeft((sessionId) => sessions.isOpen(sessionId)),
      },
    ],
  }
}
