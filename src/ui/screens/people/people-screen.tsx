import { useState } from 'react'
import { type Item, useAct, useList } from '../../data/queries.ts'
import { useFilters } from '../../data/search.ts'
import { type Column, DataList } from '../../parts/data-list.tsx'
import { Field } from '../../parts/fields.tsx'
import { State } from '../../parts/marks.tsx'
import { Page } from '../../parts/page.tsx'
import { Person } from '../../parts/person.tsx'
import { ReasonDialog } from '../../parts/reason-dialog.tsx'
import { Time } from '../../parts/time.tsx'
import { visible } from '../../words/en.ts'
import { screenWords } from '../../words/screens.ts'

const texts = screenWords.people
type Entry = Item<'GET /api/v1/principals'>

/** `/people`: who has signed in, and whom to lock. */
export default function PeopleScreen() {
  const { search, set } = useFilters()
  const [chosen, setChosen] = useState<Entry>()
  const list = useList('people', 'GET /api/v1/principals', search.who ? { who: search.who } : {})
  const columns: Column<Entry>[] = [
    {
      name: 'who',
      head: texts.columns.who,
      width: 'minmax(0, 3fr)',
      cell: (entry) => (
        <>
          <Person person={toNamed(entry)} />{' '}
          {entry.kind === 'service' && <span className="muted">{texts.service}</span>}
          <div className="muted">{visible(entry.issuer)}</div>
        </>
      ),
    },
    {
      name: 'groups',
      head: texts.columns.groups,
      width: 'minmax(0, 3fr)',
      cell: ({ groups }) => groups.map(visible).join(', '),
    },
    {
      name: 'roles',
      head: texts.columns.roles,
      width: 'minmax(0, 1fr)',
      cell: ({ roles }) => roles.filter((role) => role !== 'user').join(', '),
    },
    {
      name: 'seen',
      head: texts.columns.seen,
      width: '112px',
      isNumber: true,
      cell: ({ seenAt }) => <Time at={seenAt} />,
    },
    {
      name: 'state',
      head: texts.columns.state,
      width: '176px',
      cell: (entry) => (
        <span className="live">
          {entry.lockedAt !== null ? (
            <State tone="bad" text={texts.state.locked} />
          ) : entry.active ? (
            <State tone="good" text={texts.state.active} />
          ) : (
            <State tone="over" text={texts.state.gone} />
          )}
          <button type="button" className="small" onClick={() => setChosen(entry)}>
            {entry.lockedAt === null ? texts.lock : texts.unlock}
          </button>
        </span>
      ),
    },
  ]
  return (
    <Page title={texts.title}>
      <form
        className="filters"
        onSubmit={(event) => {
          event.preventDefault()
          set({ who: String(new FormData(event.currentTarget).get('who') ?? '').trim() })
        }}
      >
        <input
          type="search"
          name="who"
          placeholder={texts.who}
          aria-label={texts.who}
          defaultValue={search.who ?? ''}
        />
      </form>
      <DataList
        key={search.who ?? ''}
        label={texts.title}
        list={list}
        columns={columns}
        keyOf={({ id }) => id}
        empty={<p>{texts.none}</p>}
      />
      {chosen && <LockDialog entry={chosen} onClose={() => setChosen(undefined)} />}
    </Page>
  )
}

/** A name that is no verified e-mail is no proof of who it is. */
function toNamed({ id, name, kind, email, issuer, subject }: Entry) {
  return kind === 'service' || email !== null ? { id, name } : { id, name, unverified: { issuer, subject } }
}

function LockDialog({ entry, onClose }: { readonly entry: Entry; onClose(): void }) {
  const isLock = entry.lockedAt === null
  const [typed, setTyped] = useState('')
  const lock = useAct('POST /api/v1/principals/:id/lock', ['people', 'sessions', 'grants'])
  const unlock = useAct('POST /api/v1/principals/:id/unlock', ['people'])
  const act = isLock ? lock : unlock
  const who = visible(entry.name)
  return (
    <ReasonDialog
      title={isLock ? texts.lockTitle(who) : texts.unlockTitle(who)}
      hint={isLock ? texts.lockHint : texts.unlockHint}
      button={isLock ? texts.lock : texts.unlock}
      act={act}
      isBlocked={isLock && typed !== entry.name}
      onConfirm={(body) => act.mutate({ params: { id: entry.id }, body }, { onSuccess: onClose })}
      onClose={onClose}
    >
      {isLock && (
        <Field label={texts.typeName(who)}>
          {({ id, describedBy }) => (
            <input
              id={id}
              type="text"
              aria-describedby={describedBy}
              autoComplete="off"
              value={typed}
              onChange={(event) => setTyped(event.target.value)}
            />
          )}
        </Field>
      )}
    </ReasonDialog>
  )
}
