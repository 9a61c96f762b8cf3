import { useState } from 'react'
import { useAct, useAnswer } from '../../data/queries.ts'
import { ConfirmDialog } from '../../parts/confirm-dialog.tsx'
import { KindBadge } from '../../parts/marks.tsx'
import { ProblemNote } from '../../parts/problem-note.tsx'
import { visible } from '../../words/en.ts'
import { furtherWords } from '../../words/further.ts'

const texts = furtherWords.identityCenter
const mostShown = 1000

/** Removals that are too many at once: all that are shown go, or none. */
export function HeldBack() {
  const [isAsking, setAsking] = useState(false)
  const held = useAnswer('grants', 'GET /api/v1/pushes/held-back', { query: { limit: mostShown } })
  const release = useAct('POST /api/v1/pushes/release', ['grants'])
  if (held.error) return <ProblemNote problem={held.error} onRetry={() => void held.refetch()} />
  if (!held.data) return null
  const { items, total, digest, most } = held.data
  if (digest === null) return <p className="empty">{texts.none.back}</p>
  return (
    <>
      <div className="notice apart" role="status">
        <p>{texts.heldBack(total, most)}</p>
        <button type="button" className="danger" onClick={() => setAsking(true)}>
          {texts.release(total)}
        </button>
      </div>
      <ul className="back">
        {items.map(({ id, kind, of, account, userName, userId }) => (
          <li key={id}>
            <span className="resource" title={of}>
              <KindBadge kind={kind} /> <span className="name">{visible(of.slice(of.lastIndexOf('/') + 1))}</span>
              {account !== null && <span className="place muted">{account}</span>}
            </span>{' '}
            <span title={userId}>{visible(userName ?? userId)}</span>
          </li>
        ))}
      </ul>
      {isAsking && (
        <ConfirmDialog
          title={texts.releaseTitle(total)}
          hint={texts.releaseHint}
          button={texts.release(total)}
          act={release}
          onConfirm={(done) => release.mutate({ body: { digest } }, { onSuccess: done })}
          onClose={() => setAsking(false)}
        />
      )}
    </>
  )
}
