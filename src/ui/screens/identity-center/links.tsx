import { type FormEvent, useId, useState } from 'react'
import { shortId } from '../../data/names.ts'
import { type Item, useAct, useList, useMe } from '../../data/queries.ts'
import { Asked, readForm } from '../../parts/asked.tsx'
import { ConfirmDialog } from '../../parts/confirm-dialog.tsx'
import { type Column, DataList } from '../../parts/data-list.tsx'
import { Dialog } from '../../parts/dialog.tsx'
import { ProblemNote } from '../../parts/problem-note.tsx'
import { Time } from '../../parts/time.tsx'
import { visible, words } from '../../words/en.ts'
import { furtherWords } from '../../words/further.ts'
import { screenWords } from '../../words/screens.ts'

const texts = furtherWords.identityCenter
type Known = Item<'GET /api/v1/identity-center/links'>

export function Links() {
  const me = useMe()
  const [chosen, setChosen] = useState<Known>()
  const list = useList('people', 'GET /api/v1/identity-center/links', {})
  const unlink = useAct('POST /api/v1/identity-center/unlink', ['people', 'grants'])
  const columns: Column<Known>[] = [
    {
      name: 'person',
      head: texts.columns.person,
      width: 'minmax(0, 2fr)',
      cell: ({ principalId }) => <code title={principalId}>{shortId(principalId)}</code>,
    },
    {
      name: 'user',
      head: texts.columns.user,
      width: 'minmax(0, 3fr)',
      cell: ({ userId, userName }) => <span title={userId}>{visible(userName ?? userId)}</span>,
    },
    {
      name: 'by',
      head: texts.columns.by,
      width: 'minmax(0, 1fr)',
      cell: ({ foundBy }) => visible(foundBy),
    },
    {
      name: 'since',
      head: texts.columns.since,
      width: '112px',
      isNumber: true,
      cell: ({ linkedAt }) => <Time at={linkedAt} />,
    },
    ...(me?.can.admin
      ? [
          {
            name: 'act',
            head: texts.columns.act,
            width: '96px',
            cell: (known: Known) => (
              <button type="button" className="small open" onClick={() => setChosen(known)}>
                {texts.unlink}
              </button>
            ),
          },
        ]
      : []),
  ]
  return (
    <>
      <DataList
        label={texts.boxes.people}
        list={list}
        columns={columns}
        keyOf={({ principalId }) => principalId}
        empty={<p>{texts.none.people}</p>}
      />
      {chosen && (
        <ConfirmDialog
          title={texts.unlinkTitle(visible(chosen.userName ?? chosen.userId))}
          hint={texts.unlinkHint}
          button={texts.unlink}
          act={unlink}
          onConfirm={(done) => unlink.mutate({ body: { person: chosen.principalId } }, { onSuccess: done })}
          onClose={() => setChosen(undefined)}
        />
      )}
    </>
  )
}

/** By an admin, where no attribute finds the user, or a wrong one. */
export function LinkDialog({ onClose }: { readonly onClose: () => void }) {
  const form = useId()
  const link = useAct('POST /api/v1/identity-center/link', ['people', 'grants'])
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const text = readForm(event.currentTarget)
    link.mutate({ body: { person: text('person'), userId: text('user') } }, { onSuccess: onClose })
  }
  return (
    <Dialog title={texts.link} onClose={onClose}>
      <form className="form" id={form} onSubmit={send}>
        <Asked name="person" label={texts.columns.person} hint={texts.personHint} isNeeded />
        <Asked name="user" label={texts.columns.user} hint={texts.userHint} isNeeded />
      </form>
      {link.error && <ProblemNote problem={link.error} />}
      <div className="actions">
        <button type="button" onClick={onClose}>
          {words.cancel}
        </button>
        <button type="submit" form={form} className="main" disabled={link.isPending}>
          {link.isPending ? screenWords.asking : texts.link}
        </button>
      </div>
    </Dialog>
  )
}
