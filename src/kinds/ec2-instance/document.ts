import { BrokerError } from '../../../proxy/session.ts'
import type { SessionDocument } from '../../aws/session-manager.ts'
import type { InstanceLevel } from './level.ts'

type Pinned = Pick<InstanceLevel, 'document' | 'documentDigest' | 'osUser'>

/**
 * Whether a session document still is the one that was pinned, and runs shells as it was said to approvers. Agents run shells as
 * `ssm-user`, who has sudo, where a document does not say `runAsEnabled`, whatever the session asks for.
 * @throws BrokerError TARGET_UNTRUSTED
 */
export function checkDocument({ document, documentDigest, osUser }: Pinned, found: SessionDocument): void {
  const refuse = (why: string, hint: string) =>
    new BrokerError('TARGET_UNTRUSTED', `the session document ${document} ${why}`, { hint })
  if (found.digest !== documentDigest)
    throw refuse(
      `is not the one that the level names: its digest is ${found.digest}`,
      'An administrator should look at who changed it; if the change is right, set document_digest of the level to that.',
    )
  const { sessionType, inputs } = readDocument(found.content)
  if (sessionType !== 'Standard_Stream')
    throw refuse(`has the type ${String(sessionType)}`, 'Use a document with sessionType: Standard_Stream.')
  if (inputs.runAsEnabled !== true)
    throw refuse('does not say runAsEnabled: shells would have sudo', 'Set runAsEnabled: true in it.')
  if (inputs.runAsDefaultUser !== osUser)
    throw refuse(
      `runs shells as ${String(inputs.runAsDefaultUser)}, not as ${osUser}`,
      'Let runAsDefaultUser of the document and os_user of the level name the same user.',
    )
  if (inputs.kmsKeyId !== undefined && inputs.kmsKeyId !== '')
    throw refuse('encrypts sessions by KMS, which is not supported yet', 'Remove kmsKeyId from it.')
}

/** Anything else than a document has no members that count. */
function readDocument(content: string): { sessionType: unknown; inputs: Readonly<Record<string, unknown>> } {
  const { sessionType, inputs } = toObject(parse(content))
  return { sessionType, inputs: toObject(inputs) }
}

function parse(content: string): unknown {
  try {
    return JSON.parse(content)
  } catch {
    return undefined
  }
}

function toObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
