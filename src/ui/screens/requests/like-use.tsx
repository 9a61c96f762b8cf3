import type { LikeUse as Used } from '../../../contract/requests.ts'
import { useAnswer } from '../../data/queries.ts'
import { ProblemNote } from '../../parts/problem-note.tsx'
import { Time } from '../../parts/time.tsx'
import { screenWords } from '../../words/screens.ts'
import { span } from '../../words/times.ts'

const texts = screenWords.requests.use
type GrantUse = Used['grants'][number]

/** What the person did with the same access before, which those who may decide are told. */
export function useLikeUse(id: string, mayKnow: boolean) {
  return useAnswer('requests', 'GET /api/v1/requests/:id/use', { params: { id } }, { isOff: !mayKnow })
}

interface LikeUseProps {
  readonly use: ReturnType<typeof useLikeUse>
  readonly kind: string
}

export function LikeUse({ use, kind }: LikeUseProps) {
  if (use.error) return <ProblemNote problem={use.error} onRetry={() => void use.refetch()} />
  if (!use.data || use.data.grants.length === 0) return null
  const { grants } = use.data
  const isCounted = grants.some(({ requests }) => requests > 0)
  const isCluster = kind === 'eks-cluster'
  return (
    <table className="use">
      <caption>{texts.title}</caption>
      <thead>
        <tr>
          <th scope="col">{texts.began}</th>
          <th scope="col">{texts.time}</th>
          {isCounted && (
            <>
              <th scope="col">{texts.reads}</th>
              <th scope="col">{texts.writes}</th>
              <th scope="col">{isCluster ? texts.requests : texts.rows}</th>
            </>
          )}
        </tr>
      </thead>
      <tbody>
        {grants.map((grant) => (
          <tr key={grant.grantId}>
            <td>
              <Time at={grant.startsAt} />
            </td>
            <td>{grant.sessions === 0 ? texts.never : span(grant.usedMs)}</td>
            {isCounted && (
              <>
                <td>{counted(grant, grant.reads)}</td>
                <td>{counted(grant, grant.writes)}</td>
                <td>{counted(grant, isCluster ? grant.requests : grant.rows)}</td>
              </>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function counted({ sessions, isWhole }: GrantUse, count: number): string {
  return sessions === 0 ? '' : texts.count(count, isWhole)
}
