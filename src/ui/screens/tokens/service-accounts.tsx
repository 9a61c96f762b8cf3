import { type FormEvent, useId, useState } from 'react'
import { type Item, useAct, useList, useMe } from '../../data/queries.ts'
import { Asked, readForm } from '../../parts/asked.tsx'
import { ConfirmDialog } from '../../parts/confirm-dialog.tsx'
import { type Column, DataList } from '../../parts/data-list.tsx'
import { Dialog } from '../../parts/dialog.tsx'
import { State } from '../../parts/marks.tsx'
import { ProblemNote } from '../../parts/problem-note.tsx'
import { visible, words } from '../../words/en.ts'
import { furtherWords } from '../../words/further.ts'
import { screenWords } from '../../words/screens.ts'

const texts = furtherWords.tokens
type Account = Item<'GET /api/v1/service-accounts'>

/** Those that the person answers for. */
export function ServiceAccounts() {
  const me = useMe()
  const [chosen, setChosen] = useState<Account>()
  const [isCreating, setCreating] = useState(false)
  const list = useList('tokens', 'GET /api/v1/service-accounts', {})
  const columns: Column<Account>[] = [
    { name: 'name', head: texts.columns.name, width: 'minmax(0, 2fr)', cell: ({ name }) => visible(name) },
    {
      name: 'groups',
      head: texts.columns.groups,
      width: 'minmax(0, 3fr)',
      cell: ({ groups }) => groups.map(visible).join(', ') || '–',
    },
    {
      name: 'state',
      head: texts.columns.state,
      width: '224px',
      cell: (account) => (
        <span className="live">
          <State
            tone={account.active ? 'good' : 'wait'}
            text={account.active ? texts.state.accepted : texts.state.open}
          />
          <button type="button" className="small open" onClick={() => setChosen(account)}>
            {account.active ? texts.withdraw : texts.accept}
          </button>
        </span>
      ),
    },
  ]
  return (
    <>
      {me?.can.admin && (
        <div className="actions start">
          <button type="button" onClick={() => setCreating(true)}>
            {texts.newAccount}
          </button>
        </div>
      )}
      <DataList
        label={texts.boxes.accounts}
        list={list}
        columns={columns}
        keyOf={({ id }) => id}
        empty={<p>{texts.none.accounts}</p>}
      />
      {chosen && <Decide account={chosen} onClose={() => setChosen(undefined)} />}
      {isCreating && <CreateAccount onClose={() => setCreating(false)} />}
    </>
  )
}

function Decide({ account, onClose }: { readonly account: Account; onClose(): void }) {
  const accept = useAct('POST /api/v1/service-accounts/:id/accept', ['tokens'])
  const withdraw = useAct('POST /api/v1/service-accounts/:id/withdraw', ['tokens', 'grants', 'sessions'])
  const { active } = account
  const act = active ? withdraw : accept
  const name = visible(account.name)
  return (
    <ConfirmDialog
      title={active ? texts.withdrawTitle(name) : texts.acceptTitle(name)}
      hint={active ? texts.withdrawHint : texts.acceptHint}
      button={active ? texts.withdraw : texts.accept}
      act={act}
      isGift={!active}
      onConfirm={(done) => act.mutate({ params: { id: account.id }, body: {} }, { onSuccess: done })}
      onClose={onClose}
    />
  )
}

function CreateAccount({ onClose }: { readonly onClose: () => void }) {
  const form = useId()
  const create = useAct('POST /api/v1/service-accounts', ['tokens', 'people'])
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const text = readForm(event.currentTarget)
    const groups = text('groups')
      .split(',')
      .map((one) => one.trim())
      .filter((one) => one !== '')
    const owner = text('owner')
    const body = { name: text('name'), ...(owner === '' ? {} : { owner }), ...(groups.length === 0 ? {} : { groups }) }
    create.mutate({ body })
  }
  const created = create.data?.principal
  return (
    <Dialog title={texts.newAccount} onClose={onClose}>
      {created ? (
        <p role="status">{texts.accountCreated(visible(created.name), created.active)}</p>
      ) : (
        <form className="form" id={form} onSubmit={send}>
          <Asked name="name" label={texts.accountName} hint={texts.accountNameHint} isNeeded />
          <Asked name="owner" label={`${texts.owner} (${screenWords.optional})`} hint={texts.ownerHint} />
          <Asked name="groups" label={`${texts.groups} (${screenWords.optional})`} hint={texts.groupsHint} />
        </form>
      )}
      {create.error && <ProblemNote problem={create.error} />}
      <div className="actions">
        <button type="button" onClick={onClose}>
          {created ? words.close : words.cancel}
        </button>
        {!created && (
          <button type="submit" form={form} className="main" disabled={create.isPending}>
            {create.isPending ? screenWords.asking : texts.newAccount}
          </button>
        )}
      </div>
    </Dialog>
  )
}
