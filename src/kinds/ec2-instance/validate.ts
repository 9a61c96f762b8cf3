import type { AwsCredentials } from '../../aws/aws.ts'
import type { DataKeys } from '../../aws/data-keys.ts'
import type { SessionManager } from '../../aws/session-manager.ts'
import type { TargetCheck } from '../../contract/aws.ts'
import type { Preflight } from '../../sessions/preflights.ts'
import { failedAt, ok } from '../checks.ts'
import { type AgentNeed, checkInstance } from '../instance-checks.ts'
import { checkCopyDocument } from './copy.ts'
import { copyDocumentName } from './copy-level.ts'
import { type InstanceSession, keyContext, sessionName } from './credentials.ts'
import { checkDocument, type DocumentUse, type Pinned, pinnedOf } from './document.ts'
import type { InstanceLevel } from './level.ts'

const exitCodes: AgentNeed = {
  version: '3.1.1511',
  what: 'exit codes of commands, and their outputs apart',
  isOptional: true,
}

interface Parts {
  readonly session: InstanceSession
  readonly manager: Pick<SessionManager, 'agent' | 'document'>
  readonly dataKeys: DataKeys
  credentials(): Promise<AwsCredentials>
}

/** Whether shells and commands of the level would open: role, instance, documents. No session is started at the instance. */
export async function validateInstance(preflight: Pick<Preflight, 'started'>, parts: Parts): Promise<TargetCheck[]> {
  const { session, manager, credentials } = parts
  const { target, level } = session
  const { commands, osUser, kmsKey } = level
  try {
    await credentials()
  } catch (error) {
    return [failedAt('AWS', error, 'run: sallyport aws validate')]
  }
  const checks = [
    ok('AWS', 'the role was assumed, with the session policy of the level'),
    ...(await checkInstance(manager, target.instanceId, commands ? [exitCodes] : [])),
    await documentCheck(manager, pinnedOf(level, level), 'shell'),
    ...(commands ? [await documentCheck(manager, pinnedOf(level, commands), 'command')] : []),
    ...(level.copy.length > 0 ? [await copyCheck(manager, level)] : []),
    ...(kmsKey === null ? [] : [await keyCheck(parts, kmsKey)]),
  ]
  await preflight.started({ os_user: osUser, document: level.document })
  return checks
}

async function documentCheck(
  manager: Pick<SessionManager, 'document'>,
  pinned: Pinned,
  use: DocumentUse,
): Promise<TargetCheck> {
  const check = `document ${pinned.document}`
  try {
    checkDocument(pinned, await manager.document(pinned.document), use)
    return ok(check, `it is the one that the level names, and runs ${use}s as ${pinned.osUser}`)
  } catch (error) {
    return failedAt(check, error, 'run: sallyport aws prepare')
  }
}

async function copyCheck(manager: Pick<SessionManager, 'document'>, level: InstanceLevel): Promise<TargetCheck> {
  const check = `document ${copyDocumentName(level)}`
  try {
    checkCopyDocument(level, await manager.document(copyDocumentName(level)))
    return ok(check, `it copies files as ${level.osUser}, as the broker knows it`)
  } catch (error) {
    return failedAt(check, error, 'run: sallyport aws prepare')
  }
}

/** The key is thrown away. */
async function keyCheck({ session, dataKeys, credentials }: Parts, key: string): Promise<TargetCheck> {
  const { facts, target } = session
  const check = `key ${key}`
  try {
    await dataKeys(await credentials(), { key, context: keyContext(`${sessionName(facts)}-check`, target.instanceId) })
    return ok(check, 'a data key was made, in the context of a session')
  } catch (error) {
    return failedAt(check, error, 'run: sallyport aws policies')
  }
}
