import './catalog.css'
import { Link } from '@tanstack/react-router'
import { useDeferredValue, useEffect, useState } from 'react'
import { type Item, useList, useMe } from '../../data/queries.ts'
import { useFilters } from '../../data/search.ts'
import { type Column, DataList } from '../../parts/data-list.tsx'
import { Level, ResourceName } from '../../parts/marks.tsx'
import { Page } from '../../parts/page.tsx'
import { TimeLeft } from '../../parts/time.tsx'
import { visible } from '../../words/en.ts'
import { screenWords } from '../../words/screens.ts'
import { RequestForm } from './request-form.tsx'

const texts = screenWords.catalog
type Resource = Item<'GET /api/v1/resources'>

const kinds = [
  'rds-postgres',
  'rds-mysql',
  'iam-role',
  'ec2-instance',
  'eks-cluster',
  'permission-set',
  'identity-center-group',
  'account',
  'organizational-unit',
]

/** `/catalog`: what there is, and the form to ask for it. */
export default function CatalogScreen() {
  const { search, set, clear } = useFilters()
  const groups = useMe()?.principal.groups ?? []
  const [q, setQ] = useState(search.q ?? '')
  const sought = useDeferredValue(q.trim())
  useEffect(() => {
    if (sought !== (search.q ?? '')) set({ q: sought })
    // What is typed goes into the address; the other way it comes with the screen.
  }, [sought])
  const { kind, account, held } = search
  const list = useList('resources', 'GET /api/v1/resources', {
    ...(sought === '' ? {} : { q: sought }),
    ...(kind ? { kind } : {}),
    ...(account && /^\d{12}$/.test(account) ? { account } : {}),
    ...(held === 'true' ? { held: true } : {}),
  })
  const picked = (search.ask ?? '').split(',').filter((id) => id !== '')
  const pick = (id: string, isPicked: boolean) =>
    set({ ask: (isPicked ? [...picked, id] : picked.filter((one) => one !== id)).join(',') })
  const isFiltered = sought !== '' || kind || account || held
  const columns: Column<Resource>[] = [
    {
      name: 'pick',
      head: texts.columns.pick,
      width: '28px',
      cell: ({ id, name, levels }) =>
        levels.length > 0 && (
          <input
            type="checkbox"
            aria-label={texts.pick(name)}
            checked={picked.includes(id)}
            onChange={(event) => pick(id, event.target.checked)}
          />
        ),
    },
    {
      name: 'name',
      head: texts.columns.name,
      width: 'minmax(0, 3fr)',
      cell: (one) => (
        <button type="button" className="plain open" onClick={() => pick(one.id, !picked.includes(one.id))}>
          <ResourceName id={one.id} kind={one.kind} tags={one.tags} />
        </button>
      ),
    },
    {
      name: 'levels',
      head: texts.columns.levels,
      width: 'minmax(0, 2fr)',
      cell: ({ levels }) => (
        <span className="levels">
          {levels.map((level) => (
            <Level key={level} level={level} />
          ))}
        </span>
      ),
    },
    {
      name: 'you',
      head: texts.columns.you,
      width: '160px',
      cell: ({ grants }) =>
        grants.length > 0 && (
          <span className="held">
            {grants.map(({ id, level, endsAt }) => (
              <Link key={id} to="/grants/$id" params={{ id }}>
                {visible(level)} <TimeLeft until={endsAt} />
              </Link>
            ))}
          </span>
        ),
    },
  ]
  return (
    <Page title={texts.title}>
      <div className={picked.length > 0 ? 'catalog asks' : 'catalog'}>
        <div>
          <div className="filters">
            <input
              type="search"
              value={q}
              placeholder={texts.hint}
              aria-label={screenWords.search}
              onChange={(event) => setQ(event.target.value)}
            />
            <select
              aria-label={screenWords.kind}
              value={kind ?? ''}
              onChange={(event) => set({ kind: event.target.value })}
            >
              <option value="">
                {screenWords.kind}: {screenWords.any}
              </option>
              {kinds.map((one) => (
                <option key={one}>{one}</option>
              ))}
            </select>
            <input
              type="text"
              className="account"
              inputMode="numeric"
              placeholder={screenWords.account}
              aria-label={screenWords.account}
              defaultValue={account ?? ''}
              onChange={(event) => set({ account: event.target.value.trim() })}
            />
            <label>
              <input
                type="checkbox"
                checked={held === 'true'}
                onChange={(event) => set({ held: event.target.checked ? 'true' : '' })}
              />
              {texts.heldOnly}
            </label>
          </div>
          <DataList
            label={texts.title}
            list={list}
            columns={columns}
            keyOf={({ id }) => id}
            empty={
              isFiltered ? (
                <>
                  <p>{screenWords.nothingMatches}</p>
                  <button
                    type="button"
                    onClick={() => {
                      setQ('')
                      clear()
                    }}
                  >
                    {screenWords.dropFilters}
                  </button>
                </>
              ) : (
                <p>{texts.none(groups.map(visible).join(', '))}</p>
              )
            }
          />
        </div>
        {picked.length > 0 && (
          <RequestForm
            key={picked.join()}
            resources={picked}
            again={search.again}
            onClose={() => set({ ask: '', again: '' })}
          />
        )}
      </div>
    </Page>
  )
}
