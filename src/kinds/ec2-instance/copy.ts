import type { CopyRules } from '../../../proxy/copy/rules.ts'
import { BrokerError, type EngineFacts, type PermitFacts } from '../../../proxy/session.ts'
import type { CopyDirection } from '../../../proxy/wire/copy/messages.ts'
import { digestOf } from '../../audit/digest.ts'
import type { SessionDocument } from '../../aws/session-manager.ts'
import type { PreparationStep } from '../../catalog/preparation.ts'
import { sessionDocumentStep } from '../session-document-step.ts'
import { copyDocument } from './copy-document.ts'
import { copyDocumentName } from './copy-level.ts'
import type { InstanceLevel } from './level.ts'
import type { ChannelStart } from './ssh-key.ts'
import type { InstanceTarget } from './target.ts'

/** @throws BrokerError GRANT_DENIED when the level does not let files be copied that way */
export function copyFacts({ instanceId }: InstanceTarget, level: InstanceLevel, copy: CopyDirection): EngineFacts {
  if (!level.copy.includes(copy)) throw new BrokerError('GRANT_DENIED', refusal(level, copy))
  const { osUser, kmsKey, idleTimeoutMs } = level
  const rules: CopyRules = {
    copy,
    isEncrypted: kmsKey !== null,
    idleTimeoutMs,
    detail: { copy, os_user: osUser, document: copyDocumentName(level) },
  }
  return {
    address: { host: instanceId, port: 0 }, // never dialled: it is reached by websockets of AWS
    serverName: instanceId,
    ca: null,
    isRecordingStrict: level.isRecordingStrict,
    ...(level.budget ? { budget: level.budget } : {}),
    rules,
  }
}

function refusal({ copy: allowed }: InstanceLevel, copy: CopyDirection): string {
  if (allowed.length === 0) return 'this access level copies no files'
  return `this access level copies no files ${copy === 'up' ? 'to' : 'from'} the instance`
}

/** The program that copies. @returns undefined for a session that does not */
export function copyStart(
  { sessionId, engine }: Pick<PermitFacts, 'sessionId' | 'engine'>,
  level: Pick<InstanceLevel, 'osUser' | 'kmsKey'>,
): ChannelStart | undefined {
  const { copy } = (engine?.rules ?? {}) as Partial<CopyRules>
  if (!copy) return undefined
  return {
    document: copyDocumentName(level),
    parameters: { session: sessionId, direction: copy },
    check: (found) => checkCopyDocument(level, found),
  }
}

/** Who changes it could run something else, as another user. @throws BrokerError TARGET_UNTRUSTED */
export function checkCopyDocument(
  level: Pick<InstanceLevel, 'osUser' | 'kmsKey'>,
  { digest }: Pick<SessionDocument, 'digest'>,
): void {
  if (digest === digestOf(copyDocument(level))) return
  const hint = 'An administrator should look at who changed it, and make it as `sallyport aws prepare` prints it.'
  throw new BrokerError('TARGET_UNTRUSTED', `the session document ${copyDocumentName(level)} is another one`, { hint })
}

/** The session documents by which files are copied. */
export function copyDocumentSteps(region: string, levels: ReadonlyMap<string, InstanceLevel>): PreparationStep[] {
  const copying = [...levels].filter(([, { copy }]) => copy.length > 0)
  return [...Map.groupBy(copying, ([, level]) => copyDocumentName(level))].flatMap(([name, same]) =>
    same
      .slice(0, 1)
      .map(([, level]) =>
        sessionDocumentStep({ name, content: copyDocument(level) }, { region, levels: same.map(([of]) => of) }),
      ),
  )
}
