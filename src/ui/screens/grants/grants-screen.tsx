import './grants.css'
import { type Item, useList } from '../../data/queries.ts'
import { useFilters } from '../../data/search.ts'
import { accessColumns } from '../../parts/access-columns.tsx'
import { type Column, DataList } from '../../parts/data-list.tsx'
import { State, type Tone } from '../../parts/marks.tsx'
import { Page } from '../../parts/page.tsx'
import { Time, TimeLeft } from '../../parts/time.tsx'
import { screenWords } from '../../words/screens.ts'

const texts = screenWords.grants
type Grant = Item<'GET /api/v1/grants'>

export const grantTones: Readonly<Record<Grant['state'], Tone>> = {
  active: 'good',
  expired: 'over',
  revoked: 'bad',
  returned: 'over',
  tampered: 'alarm',
}

const columns: readonly Column<Grant>[] = [
  ...accessColumns<Grant>({ to: '/grants/$id', heads: texts.columns, personOf: ({ principal }) => principal }),
  {
    name: 'state',
    head: texts.columns.state,
    width: '112px',
    cell: ({ state }) => <State tone={grantTones[state]} text={texts.state[state]} />,
  },
  {
    name: 'ends',
    head: texts.columns.ends,
    width: '128px',
    isNumber: true,
    cell: ({ state, endsAt, endedAt }) =>
      state === 'active' ? <TimeLeft until={endsAt} /> : <Time at={endedAt ?? endsAt} />,
  },
]

/** `/grants`: one’s own, and those that one may end; all of them for admins and auditors. */
export default function GrantsScreen() {
  const { search, set } = useFilters()
  const isAll = search.all === 'true'
  const list = useList('grants', 'GET /api/v1/grants', isAll ? { all: true } : {})
  return (
    <Page
      title={texts.title}
      aside={
        <label>
          <input
            type="checkbox"
            checked={isAll}
            onChange={(event) => set({ all: event.target.checked ? 'true' : '' })}
          />
          {texts.all}
        </label>
      }
    >
      <DataList
        key={String(isAll)}
        label={texts.title}
        list={list}
        columns={columns}
        keyOf={({ id }) => id}
        empty={<p>{texts.none}</p>}
      />
    </Page>
  )
}
