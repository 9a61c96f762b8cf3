import { digestOf } from '../../audit/digest.ts'
import type { PreparationStep } from '../../catalog/preparation.ts'
import { sessionDocumentStep } from '../session-document-step.ts'
import { copyDocumentSteps } from './copy.ts'
import type { DocumentUse } from './document.ts'
import type { InstanceLevel, PinnedDocument } from './level.ts'
import { sshDocumentSteps } from './ssh-prepare.ts'
import type { InstanceTarget } from './target.ts'

interface Wanted extends PinnedDocument {
  readonly use: DocumentUse
  readonly osUser: string
  readonly kmsKey: string | null
  readonly level: string
}

const digestMember = { shell: 'document_digest', command: 'command_document_digest' } as const

/** The session documents of the levels, each once, and the users that they run shells and commands as. */
export function prepareInstance(
  { region, instanceId }: InstanceTarget,
  levels: ReadonlyMap<string, InstanceLevel>,
): PreparationStep[] {
  const wanted = [...levels].flatMap(([name, level]) => wantedOf(name, level))
  const documents = Map.groupBy(wanted, ({ document, use, osUser, kmsKey }) =>
    JSON.stringify([document, use, osUser, kmsKey]),
  )
  const users = Map.groupBy([...levels], ([, { osUser }]) => osUser)
  return [
    ...[...documents.values()].flatMap((same) => documentStep(region, same)),
    ...sshDocumentSteps(region, levels),
    ...copyDocumentSteps(region, levels),
    ...[...users].map(
      ([user, entries]): PreparationStep => ({
        what: `make the user ${user}, on ${instanceId} as root`,
        levels: entries.map(([name]) => name),
        language: 'sh',
        text: `# Without sudo, unless the level is meant to have it.\nid -u ${user} || useradd --create-home --shell /bin/bash ${user}`,
      }),
    ),
  ]
}

function wantedOf(level: string, { document, documentDigest, commands, osUser, kmsKey }: InstanceLevel): Wanted[] {
  const common = { osUser, kmsKey, level }
  const shell = { ...common, document, documentDigest, use: 'shell' } as const
  return commands ? [shell, { ...common, ...commands, use: 'command' }] : [shell]
}

function documentStep(region: string, same: readonly Wanted[]): PreparationStep[] {
  const [first] = same
  if (!first) return []
  const { document: name, use } = first
  const content = documentContent(use, first)
  const digest = digestOf(content)
  const other = same.filter(({ documentDigest }) => documentDigest !== digest).map(({ level }) => level)
  const notes =
    other.length === 0
      ? []
      : [`${other.join(', ')} name another: set ${digestMember[use]} to this one, or keep a document of your own.`]
  return [sessionDocumentStep({ name, content }, { region, levels: same.map(({ level }) => level), notes })]
}

/** Sessions end with their grants; idle ones after 20 minutes, others after 24 hours, which AWS has no more of. */
export function documentContent(use: DocumentUse, { osUser, kmsKey }: Pick<Wanted, 'osUser' | 'kmsKey'>): object {
  const inputs = {
    runAsEnabled: true,
    runAsDefaultUser: osUser,
    idleSessionTimeout: '20',
    maxSessionDuration: '1440',
    ...(kmsKey === null ? {} : { kmsKeyId: kmsKey }),
  }
  const common = { schemaVersion: '1.0', description: `Sallyport: ${use}s as ${osUser}` }
  if (use === 'shell') return { ...common, sessionType: 'Standard_Stream', inputs }
  return {
    ...common,
    sessionType: 'NonInteractiveCommands',
    inputs,
    parameters: { command: { type: 'String', description: 'What sh -c runs; an allowedPattern may limit it' } },
    properties: { linux: { commands: '{{ command }}', runAsElevated: false, separateOutputStream: 'true' } },
  }
}
