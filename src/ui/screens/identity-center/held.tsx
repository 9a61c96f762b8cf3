import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { shortId } from '../../data/names.ts'
import { type Item, useAct, useList, useMe } from '../../data/queries.ts'
import { ConfirmDialog } from '../../parts/confirm-dialog.tsx'
import { type Column, DataList } from '../../parts/data-list.tsx'
import { KindBadge, State, type Tone } from '../../parts/marks.tsx'
import { Time } from '../../parts/time.tsx'
import { sentence, visible } from '../../words/en.ts'
import { furtherWords } from '../../words/further.ts'

const texts = furtherWords.identityCenter
type Push = Item<'GET /api/v1/pushes'>

const tones: Readonly<Record<Push['state'], Tone>> = {
  granting: 'wait',
  granted: 'good',
  failed: 'bad',
  removing: 'wait',
  outside: 'over',
  gone: 'over',
}

/** Assignments and memberships. Only what the broker made or took over is ever removed. */
export function Held() {
  const me = useMe()
  const [chosen, setChosen] = useState<Push>()
  const list = useList('grants', 'GET /api/v1/pushes', {})
  const adopt = useAct('POST /api/v1/pushes/adopt', ['grants'])
  const columns: Column<Push>[] = [
    {
      name: 'of',
      head: texts.columns.of,
      width: 'minmax(0, 3fr)',
      cell: ({ kind, of, account }) => (
        <span className="resource" title={of}>
          <KindBadge kind={kind} /> <span className="name">{visible(of.slice(of.lastIndexOf('/') + 1))}</span>
          {account !== null && <span className="place muted">{account}</span>}
        </span>
      ),
    },
    {
      name: 'user',
      head: texts.columns.user,
      width: 'minmax(0, 2fr)',
      cell: ({ userName, userId }) => <span title={userId}>{visible(userName ?? userId)}</span>,
    },
    {
      name: 'state',
      head: texts.columns.state,
      width: 'minmax(0, 3fr)',
      cell: ({ state, reason, overdueSince }) => (
        <div>
          <State tone={overdueSince === null ? tones[state] : 'bad'} text={texts.state[state]} />{' '}
          {overdueSince !== null && (
            <span className="muted">
              {texts.overdue} <Time at={overdueSince} />
            </span>
          )}
          {reason !== null && <div className="muted">{sentence(reason)}</div>}
        </div>
      ),
    },
    {
      name: 'grants',
      head: texts.columns.grants,
      width: 'minmax(0, 1fr)',
      cell: ({ grants }) =>
        grants.map((id) => (
          <Link key={id} to="/grants/$id" params={{ id }}>
            <code>{shortId(id)}</code>
          </Link>
        )),
    },
    {
      name: 'whose',
      head: texts.columns.whose,
      width: '208px',
      cell: (push) => (
        <span className="live">
          {push.ownership === null ? '–' : texts.ownership[push.ownership]}
          {me?.can.admin && (push.ownership === 'pre-existing' || push.ownership === 'uncertain') && (
            <button type="button" className="small open" onClick={() => setChosen(push)}>
              {texts.adopt}
            </button>
          )}
        </span>
      ),
    },
  ]
  return (
    <>
      <DataList
        label={texts.boxes.held}
        list={list}
        columns={columns}
        keyOf={({ id }) => id}
        empty={<p>{texts.none.held}</p>}
      />
      {chosen && (
        <ConfirmDialog
          title={texts.adoptTitle(visible(chosen.userName ?? chosen.userId))}
          hint={chosen.grants.length > 0 ? texts.adoptHint : texts.adoptUnwanted}
          button={texts.adopt}
          act={adopt}
          onConfirm={(done) => adopt.mutate({ body: { push: chosen.id } }, { onSuccess: done })}
          onClose={() => setChosen(undefined)}
        />
      )}
    </>
  )
}
