import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import type { SessionBudget } from '../../../proxy/session.ts'
import type { CopyDirection } from '../../../proxy/wire/copy/messages.ts'
import type { LevelForm, Parsed } from '../../catalog/kind.ts'
import { memberProblems } from '../../catalog/member-problems.ts'
import { Duration, strict } from '../../config/schema/members.ts'
import { parseDuration } from '../../config/units.ts'
import { budgetMembers, readBudget } from '../session-members.ts'
import { copyDocumentName, copyMembers } from './copy-level.ts'
import { type ForwardTarget, forwardMembers, readForward } from './forward.ts'
import { type SshMode, sshDocumentName, sshMembers } from './ssh-level.ts'

/** A session document of one's own. */
export interface PinnedDocument {
  readonly document: string
  /** Hex SHA-256 of its content. */
  readonly documentDigest: string
}

/** What an access level means on an instance; the document is that of shells. */
export interface InstanceLevel extends PinnedDocument {
  /** By which single commands are run; null: none are. */
  readonly commands: PinnedDocument | null
  /** As whom the documents run shells and commands. */
  readonly osUser: string
  /** ARN of the key of KMS that encrypts sessions beyond TLS; null: none does. */
  readonly kmsKey: string | null
  readonly recordsInput: boolean
  /** 0: that of the broker alone. */
  readonly idleTimeoutMs: number
  readonly isRecordingStrict: boolean
  /** Of one session; null: none. */
  readonly budget: SessionBudget | null
  /** Ports that streams may lead to; empty: none. */
  readonly forward: readonly ForwardTarget[]
  readonly ssh: SshMode
  /** Ways that files may be copied; empty: none. */
  readonly copy: readonly CopyDirection[]
}

type Documents = Pick<InstanceLevel, 'document' | 'commands' | 'osUser' | 'kmsKey' | 'ssh' | 'copy'>

/** Names of the documents of a level. */
export function documentsOf({ document, commands, osUser, kmsKey, ssh, copy }: Documents): string[] {
  return [
    document,
    ...(commands ? [commands.document] : []),
    ...(ssh === 'none' ? [] : [sshDocumentName(osUser)]),
    ...(copy.length === 0 ? [] : [copyDocumentName({ osUser, kmsKey })]),
  ]
}

const Document = (description: string, example: string) =>
  Type.String({
    pattern: '^Sallyport-[A-Za-z0-9_.-]{1,118}$',
    errorMessage: 'expected the name of a session document of your own, Sallyport-…',
    description,
    examples: [example],
  })

const Digest = (description: string) =>
  Type.String({
    pattern: '^[0-9a-f]{64}$',
    errorMessage: 'expected the SHA-256 of the document, 64 hex digits',
    description,
    examples: ['9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'],
  })

const schema = Type.Object(
  {
    document: Document(
      'Session document, made for the broker in account and region of the instance: it decides as whom a shell runs, so that only its owners may change it',
      'Sallyport-Shell',
    ),
    document_digest: Digest(
      'SHA-256 of the content of the document, as JSON with sorted members and no white space. A document with another is refused, and the refusal says the digest it has',
    ),
    command_document: Type.Optional(
      Document(
        'Session document of the type NonInteractiveCommands, by which single commands are run (sallyport shell RESOURCE -- COMMAND); left out: none are',
        'Sallyport-Command',
      ),
    ),
    command_document_digest: Type.Optional(Digest('SHA-256 of the content of that document, likewise')),
    os_user: Type.String({
      pattern: '^[a-z_][a-z0-9_-]{0,31}$',
      errorMessage: 'expected the name of a user of the operating system',
      description:
        'User of the operating system that the documents run shells and commands as, by runAsEnabled and runAsDefaultUser; shown to approvers',
      examples: ['deploy'],
    }),
    kms_key: Type.Optional(
      Type.String({
        pattern: '^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]{1,128}$',
        errorMessage: 'expected the ARN of a key of KMS, not of an alias',
        description:
          'Key of KMS, in the region of the instance, by which its documents encrypt sessions (kmsKeyId, the same ARN); a document with another, or none, is refused, and so is a session that is not encrypted',
        examples: ['arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'],
      }),
    ),
    record_input: Type.Optional(
      Type.Boolean({
        errorMessage: 'expected true or false',
        description: 'Whether what is typed is recorded as well, passwords included; the person is told so',
        default: false,
        examples: [true],
      }),
    ),
    idle_timeout: Type.Optional(
      Duration('A session in which nothing is typed or shown for so long is ended', undefined, { most: '1d' }),
    ),
    ...budgetMembers,
    ...forwardMembers,
    ...sshMembers,
    ...copyMembers,
    recording: Type.Optional(
      Type.Union([Type.Literal('prompt'), Type.Literal('strict')], {
        errorMessage: 'expected prompt or strict',
        description:
          'strict: what the terminal shows is in the recording before it is shown, which makes it slower; prompt: within 100 ms',
        default: 'prompt',
        examples: ['strict'],
      }),
    ),
  },
  strict,
)

const words = { noun: 'an instance level', mapping: 'expected a mapping with document, document_digest and os_user' }

export const instanceLevel: LevelForm<InstanceLevel> = {
  schema,
  read: (raw) =>
    Value.Check(schema, raw) ? readLevel(raw) : { ok: false, problems: memberProblems(schema, raw, words) },
}

function readLevel(raw: Static<typeof schema>): Parsed<InstanceLevel> {
  const { command_document: document, command_document_digest: documentDigest } = raw
  if ((document === undefined) !== (documentDigest === undefined)) {
    const path = document === undefined ? 'command_document' : 'command_document_digest'
    return { ok: false, problems: [{ path, message: 'expected both the document of commands and its digest' }] }
  }
  const commands = document === undefined || documentDigest === undefined ? null : { document, documentDigest }
  const { targets: forward, problems } = readForward(raw.forward)
  if (problems.length > 0) return { ok: false, problems }
  return { ok: true, value: { ...toLevel(raw, commands), forward, ssh: raw.ssh ?? 'none', copy: raw.copy ?? [] } }
}

function toLevel(
  raw: Static<typeof schema>,
  commands: PinnedDocument | null,
): Omit<InstanceLevel, 'forward' | 'ssh' | 'copy'> {
  return {
    document: raw.document,
    documentDigest: raw.document_digest,
    commands,
    osUser: raw.os_user,
    kmsKey: raw.kms_key ?? null,
    recordsInput: raw.record_input ?? false,
    idleTimeoutMs: parseDuration(raw.idle_timeout ?? '') ?? 0,
    isRecordingStrict: raw.recording === 'strict',
    budget: readBudget(raw),
  }
}
