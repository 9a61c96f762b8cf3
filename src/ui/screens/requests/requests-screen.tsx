import './requests.css'
import { type Item, useList, useMe } from '../../data/queries.ts'
import { useFilters } from '../../data/search.ts'
import { accessColumns } from '../../parts/access-columns.tsx'
import { type Column, DataList } from '../../parts/data-list.tsx'
import { State, type Tone } from '../../parts/marks.tsx'
import { Page } from '../../parts/page.tsx'
import { Time } from '../../parts/time.tsx'
import { screenWords } from '../../words/screens.ts'
import { span } from '../../words/times.ts'

const texts = screenWords.requests
type Request = Item<'GET /api/v1/requests'>
type Box = keyof typeof texts.boxes

export const requestTones: Readonly<Record<Request['status'], Tone>> = {
  pending: 'wait',
  granted: 'good',
  denied: 'bad',
  cancelled: 'over',
  expired: 'over',
  refused: 'bad',
}

const columns: readonly Column<Request>[] = [
  ...accessColumns<Request>({ to: '/requests/$id', heads: texts.columns, personOf: ({ beneficiary }) => beneficiary }),
  { name: 'span', head: texts.columns.span, width: '88px', isNumber: true, cell: ({ durationMs }) => span(durationMs) },
  {
    name: 'state',
    head: texts.columns.state,
    width: '104px',
    cell: ({ status }) => <State tone={requestTones[status]} text={texts.state[status]} />,
  },
  {
    name: 'asked',
    head: texts.columns.asked,
    width: '112px',
    isNumber: true,
    cell: ({ createdAt }) => <Time at={createdAt} />,
  },
]

/** `/requests`: what waits for me, what I asked for, what I decided. */
export default function RequestsScreen() {
  const me = useMe()
  const { search, set } = useFilters()
  const first: Box = me?.can.decide ? 'decide' : 'mine'
  const box = (['decide', 'mine', 'decided', 'all'] as const).find((one) => one === search.box) ?? first
  const seesAll = me?.can.audit || me?.can.admin
  const list = useList(
    'requests',
    'GET /api/v1/requests',
    box === 'all' ? { all: true } : box === 'decide' ? { box } : { box, all: true },
  )
  const shown = (['decide', 'mine', 'decided', 'all'] as const).filter((one) =>
    one === 'all' ? seesAll : one === 'mine' || me?.can.decide || seesAll,
  )
  return (
    <Page title={texts.title}>
      <fieldset className="boxes" aria-label={texts.title}>
        {shown.map((one) => (
          <button key={one} type="button" aria-pressed={one === box} onClick={() => set({ box: one })}>
            {texts.boxes[one]}
            {one === 'decide' && me !== undefined && me.counts.decide > 0 && (
              <span className="waits">{me.counts.decide}</span>
            )}
          </button>
        ))}
      </fieldset>
      <DataList
        key={box}
        label={texts.title}
        list={list}
        columns={columns}
        keyOf={({ id }) => id}
        empty={<p>{texts.none[box]}</p>}
      />
    </Page>
  )
}
