import { formatDuration } from '../../../proxy/duration.ts'
import type { MeaningLine } from '../../catalog/kind.ts'
import { budgetMeans, numberText } from '../session-members.ts'
import type { RdsLevel } from './level.ts'

type Level = Pick<RdsLevel, 'dbUser' | 'databases' | 'statementTimeoutMs' | 'maxRows' | 'budget'>

/** What a level gives on a database, of either engine. */
export function rdsMeans({ dbUser, databases, statementTimeoutMs, maxRows, budget }: Level): MeaningLine[] {
  return [
    { label: 'database user', value: dbUser },
    { label: 'databases', value: databases.includes('*') ? 'all that this user may open' : databases.join(', ') },
    ...(maxRows === 0 ? [] : [{ label: 'rows of one statement', value: `${numberText(maxRows)} at most` }]),
    ...(statementTimeoutMs === 0
      ? []
      : [{ label: 'time of one statement', value: `${formatDuration(statementTimeoutMs)} at most` }]),
    ...budgetMeans(budget),
  ]
}
