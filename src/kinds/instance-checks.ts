import type { AgentInfo, SessionManager } from '../aws/session-manager.ts'
import type { TargetCheck } from '../contract/aws.ts'
import { fail, failedAt, ok, warn } from './checks.ts'

/** What an agent must know for sessions of a level or a tunnel, from the version on. */
export interface AgentNeed {
  /** With three numbers. */
  readonly version: string
  /** e.g. `tunnels to other hosts` */
  readonly what: string
  /** Without it a part is missing, but sessions work. */
  readonly isOptional?: boolean
}

type Agents = Pick<SessionManager, 'agent'>

/** Whether the agent of an instance is there, and new enough. Its account may not let the broker look: then that is a warning. */
export async function checkInstance(
  manager: Agents,
  instance: string,
  needs: readonly AgentNeed[],
): Promise<TargetCheck[]> {
  const check = `instance ${instance}`
  let agent: AgentInfo | null
  try {
    agent = await manager.agent(instance)
  } catch (error) {
    const { detail, fix } = failedAt(check, error, 'run: sallyport aws policies')
    return [warn(check, `it cannot be looked at: ${detail}`, fix ?? '')]
  }
  if (!agent) return [fail(check, 'Session Manager does not know it', notRegistered)]
  if (agent.platform !== 'Linux')
    return [fail(check, `it runs ${agent.platform}`, 'sessions on anything but Linux are not supported yet')]
  if (!agent.isOnline) return [fail(check, 'its SSM agent is not connected', notConnected)]
  const { version } = agent
  const old = needs.filter((need) => !isFrom(version, need.version))
  if (old.length === 0) return [ok(check, `online, with agent ${version}`)]
  return old.map(({ version: from, what, isOptional }) =>
    (isOptional ? warn : fail)(
      check,
      `its agent ${version} is too old for ${what}`,
      `update the SSM agent to ${from} or later`,
    ),
  )
}

const notRegistered =
  'check that it runs in this account and region, with an SSM agent, and an instance profile with AmazonSSMManagedInstanceCore'
const notConnected = 'check that it runs, that its agent does, and that its network lets it reach Session Manager'

/** @param least with three numbers, as what they are compared with begins with */
function isFrom(version: string, least: string): boolean {
  const [parts, wanted] = [version, least].map((text) => text.split('.').map(Number))
  const at = wanted?.findIndex((part, i) => part !== parts?.[i]) ?? -1
  return at < 0 || (parts?.[at] ?? 0) > (wanted?.[at] ?? 0)
}
