import './tokens.css'
import { useState } from 'react'
import { shortId } from '../../data/names.ts'
import { type Item, useAct, useList, useMe } from '../../data/queries.ts'
import { useFilters } from '../../data/search.ts'
import { ConfirmDialog } from '../../parts/confirm-dialog.tsx'
import { type Column, DataList } from '../../parts/data-list.tsx'
import { Level, ResourceName } from '../../parts/marks.tsx'
import { Page } from '../../parts/page.tsx'
import { Time } from '../../parts/time.tsx'
import { visible } from '../../words/en.ts'
import { furtherWords } from '../../words/further.ts'
import { CreateToken } from './create-token.tsx'
import { ServiceAccounts } from './service-accounts.tsx'

const texts = furtherWords.tokens
const boxes = ['api', 'connect', 'accounts'] as const
type ApiToken = Item<'GET /api/v1/tokens'>
type ConnectToken = Item<'GET /api/v1/connect-tokens'>

/** `/tokens`: what acts for me without me. */
export default function TokensScreen() {
  const me = useMe()
  const { search, set } = useFilters()
  const [isCreating, setCreating] = useState(false)
  const box = boxes.find((one) => one === search.box) ?? 'api'
  const isAll = search.all === 'true' && me?.can.admin === true
  return (
    <Page
      title={texts.title}
      aside={
        <>
          {me?.can.admin && box !== 'accounts' && (
            <label>
              <input
                type="checkbox"
                checked={isAll}
                onChange={({ target }) => set({ all: target.checked ? 'true' : '' })}
              />
              {texts.all}
            </label>
          )}
          {box === 'api' && (
            <button type="button" className="main" onClick={() => setCreating(true)}>
              {texts.create}
            </button>
          )}
        </>
      }
    >
      <fieldset className="boxes" aria-label={texts.title}>
        {boxes.map((one) => (
          <button key={one} type="button" aria-pressed={one === box} onClick={() => set({ box: one })}>
            {texts.boxes[one]}
          </button>
        ))}
      </fieldset>
      {box === 'api' && <ApiTokens isAll={isAll} />}
      {box === 'connect' && <ConnectTokens isAll={isAll} />}
      {box === 'accounts' && <ServiceAccounts />}
      {isCreating && <CreateToken onClose={() => setCreating(false)} />}
    </Page>
  )
}

/** Where a token may be used from, until when, and where it was. */
function useColumns<T extends ApiToken | ConnectToken>(revoke: (token: T) => void): readonly Column<T>[] {
  return [
    {
      name: 'from',
      head: texts.columns.from,
      width: 'minmax(0, 1fr)',
      cell: ({ cidr }) => (cidr === null ? <span className="muted">{texts.anywhere}</span> : <code>{cidr}</code>),
    },
    {
      name: 'expires',
      head: texts.columns.expires,
      width: '120px',
      isNumber: true,
      cell: ({ expiresAt }) => <Time at={expiresAt} />,
    },
    {
      name: 'used',
      head: texts.columns.used,
      width: '120px',
      isNumber: true,
      cell: ({ lastUsedAt, lastUsedFrom }) =>
        lastUsedAt === null ? (
          texts.never
        ) : (
          <span title={lastUsedFrom === null ? undefined : texts.usedFrom(lastUsedFrom)}>
            <Time at={lastUsedAt} />
          </span>
        ),
    },
    {
      name: 'act',
      head: texts.columns.act,
      width: '88px',
      cell: (token) => (
        <button type="button" className="small open" onClick={() => revoke(token)}>
          {texts.revoke}
        </button>
      ),
    },
  ]
}

function ApiTokens({ isAll }: { readonly isAll: boolean }) {
  const me = useMe()
  const [chosen, setChosen] = useState<ApiToken>()
  const list = useList('tokens', 'GET /api/v1/tokens', isAll ? { all: true } : {})
  const accounts = useList('tokens', 'GET /api/v1/service-accounts', {})
  const revoke = useAct('DELETE /api/v1/tokens/:id', ['tokens'])
  const nameOfPrincipal = (id: string) =>
    id === me?.principal.id ? texts.yourself : visible(accounts.items.find((one) => one.id === id)?.name ?? shortId(id))
  const columns: Column<ApiToken>[] = [
    { name: 'name', head: texts.columns.name, width: 'minmax(0, 2fr)', cell: ({ name }) => visible(name) },
    {
      name: 'as',
      head: texts.columns.as,
      width: 'minmax(0, 1fr)',
      cell: ({ principalId }) => nameOfPrincipal(principalId),
    },
    { name: 'scopes', head: texts.columns.scopes, width: 'minmax(0, 2fr)', cell: ({ scopes }) => scopes.join(', ') },
    ...useColumns<ApiToken>(setChosen),
  ]
  return (
    <>
      <DataList
        key={String(isAll)}
        label={texts.boxes.api}
        list={list}
        columns={columns}
        keyOf={({ id }) => id}
        empty={<p>{texts.none.api}</p>}
      />
      {chosen && (
        <ConfirmDialog
          title={texts.revokeTitle(visible(chosen.name))}
          hint={texts.revokeApiHint}
          button={texts.revoke}
          act={revoke}
          onConfirm={(done) => revoke.mutate({ params: { id: chosen.id } }, { onSuccess: done })}
          onClose={() => setChosen(undefined)}
        />
      )}
    </>
  )
}

function ConnectTokens({ isAll }: { readonly isAll: boolean }) {
  const [chosen, setChosen] = useState<ConnectToken>()
  const list = useList('tokens', 'GET /api/v1/connect-tokens', isAll ? { all: true } : {})
  const revoke = useAct('DELETE /api/v1/connect-tokens/:id', ['tokens', 'sessions'])
  const columns: Column<ConnectToken>[] = [
    {
      name: 'user',
      head: texts.columns.user,
      width: 'minmax(0, 2fr)',
      cell: ({ id }) => <code>{`t_${id}`}</code>,
    },
    {
      name: 'what',
      head: texts.columns.what,
      width: 'minmax(0, 3fr)',
      cell: ({ resourceId }) => <ResourceName id={resourceId} kind={resourceId.slice(0, resourceId.indexOf('/'))} />,
    },
    { name: 'level', head: texts.columns.level, width: 'minmax(0, 1fr)', cell: ({ level }) => <Level level={level} /> },
    ...useColumns<ConnectToken>(setChosen),
  ]
  return (
    <>
      <DataList
        key={String(isAll)}
        label={texts.boxes.connect}
        list={list}
        columns={columns}
        keyOf={({ id }) => id}
        empty={<p>{texts.none.connect}</p>}
      />
      {chosen && (
        <ConfirmDialog
          title={texts.revokeTitle(`t_${chosen.id}`)}
          hint={texts.revokeConnectHint}
          button={texts.revoke}
          act={revoke}
          onConfirm={(done) => revoke.mutate({ params: { id: chosen.id } }, { onSuccess: done })}
          onClose={() => setChosen(undefined)}
        />
      )}
    </>
  )
}
