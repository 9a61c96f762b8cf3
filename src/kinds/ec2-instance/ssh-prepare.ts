import type { PreparationStep } from '../../catalog/preparation.ts'
import { sessionDocumentStep } from '../session-document-step.ts'
import type { InstanceLevel } from './level.ts'
import { sshDocument } from './ssh-document.ts'
import { sshDocumentName } from './ssh-level.ts'

/** The session document by which keys are put in, for each user that levels sign in as. */
export function sshDocumentSteps(
  region: string,
  levels: ReadonlyMap<string, Pick<InstanceLevel, 'osUser' | 'ssh'>>,
): PreparationStep[] {
  const named = [...levels].filter(([, { ssh }]) => ssh !== 'none')
  const users = Map.groupBy(named, ([, { osUser }]) => osUser)
  return [...users].map(([osUser, ofUser]) =>
    sessionDocumentStep(
      { name: sshDocumentName(osUser), content: sshDocument(osUser) },
      { region, levels: ofUser.map(([level]) => level) },
    ),
  )
}
