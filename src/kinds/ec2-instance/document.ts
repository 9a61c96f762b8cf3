import { BrokerError } from '../../../proxy/session.ts'
import type { SessionDocument } from '../../aws/session-manager.ts'
import type { InstanceLevel, PinnedDocument } from './level.ts'

/** What a document is for: a terminal, or one command without one. */
export type DocumentUse = 'shell' | 'command'

/** A document, and what it must say. */
export type Pinned = PinnedDocument & Pick<InstanceLevel, 'osUser' | 'kmsKey'>
/** One of the documents of a level. */
export function pinnedOf({ osUser, kmsKey }: InstanceLevel, { document, documentDigest }: PinnedDocument): Pinned {
  return { document, documentDigest, osUser, kmsKey }
}

type Members = Readonly<Record<string, unknown>>

/** The parameter of a document that runs commands. */
export const commandParameter = 'command'

const sessionTypes = { shell: 'Standard_Stream', command: 'NonInteractiveCommands' } as const

/**
 * Whether a session document still is the one that was pinned, and runs shells or commands as it was said to approvers. Agents run them
 * as `ssm-user`, who has sudo, where a document does not say `runAsEnabled`, whatever the session asks for.
 * @throws BrokerError TARGET_UNTRUSTED
 */
export function checkDocument(pinned: Pinned, found: SessionDocument, use: DocumentUse = 'shell'): void {
  const { document, documentDigest, osUser, kmsKey } = pinned
  const refuse = (why: string, hint: string) =>
    new BrokerError('TARGET_UNTRUSTED', `the session document ${document} ${why}`, { hint })
  if (found.digest !== documentDigest)
    throw refuse(
      `is not the one that the level names: its digest is ${found.digest}`,
      `An administrator should look at who changed it; if the change is right, set ${digestMembers[use]} of the level to that.`,
    )
  const { sessionType, inputs, linux } = readDocument(found.content)
  const type = sessionTypes[use]
  if (sessionType !== type)
    throw refuse(`has the type ${String(sessionType)}`, `Use a document with sessionType: ${type}.`)
  if (inputs.runAsEnabled !== true)
    throw refuse(`does not say runAsEnabled: ${use}s would have sudo`, 'Set runAsEnabled: true in it.')
  if (inputs.runAsDefaultUser !== osUser)
    throw refuse(
      `runs ${use}s as ${String(inputs.runAsDefaultUser)}, not as ${osUser}`,
      'Let runAsDefaultUser of the document and os_user of the level name the same user.',
    )
  const { kmsKeyId = '' } = inputs
  if (kmsKeyId !== (kmsKey ?? ''))
    throw refuse(
      kmsKeyId === '' ? 'encrypts sessions with no key of KMS' : `encrypts sessions with ${String(kmsKeyId)}`,
      `Let kmsKeyId of the document and kms_key of the level be the same ARN${kmsKey ? `, ${kmsKey}` : ', or neither be there'}.`,
    )
  const problem = use === 'command' ? commandProblem(linux) : undefined
  if (problem) throw refuse(...problem)
}

const digestMembers = { shell: 'document_digest', command: 'command_document_digest' } as const

/** What would run as root, mix the outputs, or lose the exit code. @returns what is wrong, and what to do */
function commandProblem(linux: Members): [why: string, hint: string] | undefined {
  const { runAsElevated = false, separateOutputStream, commands } = linux
  if (runAsElevated !== false && runAsElevated !== 'false')
    return ['says runAsElevated: commands would run as root', 'Remove runAsElevated from its properties.']
  if (separateOutputStream !== true && separateOutputStream !== 'true')
    return [
      'does not say separateOutputStream: there would be no exit code',
      'Set separateOutputStream: "true" in properties.linux.',
    ]
  if ((linux.stdOutSeparatorPrefix ?? '') !== '' || (linux.stdErrSeparatorPrefix ?? '') !== '')
    return ['puts a prefix before what commands write', 'Remove its separator prefixes.']
  if (typeof commands !== 'string' || !/\{\{\s*command\s*\}\}/.test(commands))
    return ['does not run the command that it is given', 'Let properties.linux.commands be "{{ command }}".']
  return undefined
}

/** Anything else than a document has no members that count. */
function readDocument(content: string): { sessionType: unknown; inputs: Members; linux: Members } {
  const { sessionType, inputs, properties } = toObject(parse(content))
  return { sessionType, inputs: toObject(inputs), linux: toObject(toObject(properties).linux) }
}

function parse(content: string): unknown {
  try {
    return JSON.parse(content)
  } catch {
    return undefined
  }
}

function toObject(value: unknown): Members {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
