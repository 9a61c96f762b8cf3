import { useState } from 'react'
import { shortId } from '../../data/names.ts'
import { type Item, useAct, useList } from '../../data/queries.ts'
import { ConfirmDialog } from '../../parts/confirm-dialog.tsx'
import { type Column, DataList } from '../../parts/data-list.tsx'
import { ResourceName } from '../../parts/marks.tsx'
import { visible } from '../../words/en.ts'
import { furtherWords } from '../../words/further.ts'

const texts = furtherWords.identityCenter
type Found = Item<'GET /api/v1/pushes/unrecorded'>

/** Who has something directly that no grant and no push is about, as AWS says now. */
export function Unrecorded() {
  const [chosen, setChosen] = useState<Found>()
  const list = useList('grants', 'GET /api/v1/pushes/unrecorded', {})
  const adopt = useAct('POST /api/v1/pushes/adopt', ['grants'])
  const columns: Column<Found>[] = [
    {
      name: 'of',
      head: texts.columns.of,
      width: 'minmax(0, 3fr)',
      cell: ({ resource }) => <ResourceName id={resource} kind={resource.slice(0, resource.indexOf('/'))} />,
    },
    {
      name: 'user',
      head: texts.columns.user,
      width: 'minmax(0, 2fr)',
      cell: ({ userId, userName }) => (
        <span title={userId}>{userName === null ? `${texts.noUser} (${userId})` : visible(userName)}</span>
      ),
    },
    {
      name: 'person',
      head: texts.columns.person,
      width: 'minmax(0, 1fr)',
      cell: ({ principals }) => principals.map(shortId).join(', ') || '–',
    },
    {
      name: 'act',
      head: texts.columns.act,
      width: '96px',
      cell: (found) => (
        <button type="button" className="small open" onClick={() => setChosen(found)}>
          {texts.adopt}
        </button>
      ),
    },
  ]
  return (
    <>
      <p className="muted apart">{texts.unrecordedHint}</p>
      <DataList
        label={texts.boxes.unrecorded}
        list={list}
        columns={columns}
        keyOf={({ resource, userId }) => `${resource} ${userId}`}
        empty={<p>{texts.none.unrecorded}</p>}
      />
      {chosen && (
        <ConfirmDialog
          title={texts.adoptTitle(visible(chosen.userName ?? chosen.userId))}
          hint={chosen.grants.length > 0 ? texts.adoptHint : texts.adoptUnwanted}
          button={texts.adopt}
          act={adopt}
          onConfirm={(done) =>
            adopt.mutate({ body: { resource: chosen.resource, userId: chosen.userId } }, { onSuccess: done })
          }
          onClose={() => setChosen(undefined)}
        />
      )}
    </>
  )
}
