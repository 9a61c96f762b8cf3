import './frame.css'
import { useQuery } from '@tanstack/react-query'
import { Link, Outlet, useNavigate } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'
import { useLive } from '../data/live.ts'
import { Problem } from '../data/problem.ts'
import { meQuery } from '../data/queries.ts'
import { signInPath } from '../data/sign-in.ts'
import { visible, words } from '../words/en.ts'
import { screenWords } from '../words/screens.ts'
import { isTyping } from './data-list.tsx'
import { Dialog } from './dialog.tsx'

const { nav } = screenWords

/** The menu around a screen. What it offers is what the broker says this person can. */
export function Frame() {
  const { data: me, error } = useQuery(meQuery)
  const live = useLive()
  const [showsKeys, setShowsKeys] = useState(false)
  const search = useRef<HTMLInputElement>(null)
  useKeys(search, () => setShowsKeys(true))
  const further = [
    { to: '/grants', text: nav.grants },
    ...(me?.can.audit ? ([{ to: '/audit', text: nav.audit }] as const) : []),
    ...(me?.can.admin
      ? ([
          { to: '/people', text: nav.people },
          { to: '/setup', text: nav.setup },
        ] as const)
      : []),
  ] as const
  const isOversight = me?.can.audit === true || me?.can.admin === true
  return (
    <>
      <a className="skip" href="#content">
        {nav.skip}
      </a>
      <header className="bar">
        <Link to="/" className="brand" aria-label={screenWords.app}>
          {screenWords.app}
        </Link>
        <nav aria-label={nav.main}>
          <Link to="/" activeOptions={{ exact: true }}>
            {nav.home}
          </Link>
          <Link to="/catalog">{nav.catalog}</Link>
          <Link to="/requests">
            {nav.requests}
            {me !== undefined && me.counts.decide > 0 && <span className="waits">{me.counts.decide}</span>}
          </Link>
          <Link to="/sessions">{nav.sessions}</Link>
          {further.map(({ to, text }) => (
            <Link key={to} to={to} className="further">
              {text}
            </Link>
          ))}
        </nav>
        <Search input={search} />
        <details className="account">
          <summary title={nav.account}>{visible(me?.principal.name ?? '')}</summary>
          <div className="menu">
            <p className="muted">
              {me?.issuer}
              {isOversight && <br />}
              {isOversight && me?.roles.filter((role) => role !== 'user').join(', ')}
            </p>
            {further.map(({ to, text }) => (
              <Link key={to} to={to} className="button quiet narrow">
                {text}
              </Link>
            ))}
            <Link to="/tokens" className="button quiet">
              {nav.tokens}
            </Link>
            <Link to="/why" className="button quiet">
              {nav.why}
            </Link>
            {me?.can.audit && (
              <>
                <Link to="/recordings" className="button quiet">
                  {nav.recordings}
                </Link>
                <Link to="/rules" className="button quiet">
                  {nav.rules}
                </Link>
              </>
            )}
            {isOversight && (
              <Link to="/identity-center" className="button quiet">
                {nav.identityCenter}
              </Link>
            )}
            <button type="button" className="quiet" onClick={() => setShowsKeys(true)}>
              {nav.keys}
            </button>
            <a className="button quiet" href="/logout">
              {nav.signOut}
            </a>
          </div>
        </details>
      </header>
      <div aria-live="polite">
        {live === 'over' && (
          <p className="notice">
            {screenWords.signedOutBar} <a href={signInPath()}>{words.signInAgain}</a>
          </p>
        )}
        {live === 'late' && <p className="notice">{isOffline(error) ? screenWords.offline : screenWords.polling}</p>}
      </div>
      <main id="content" className="content">
        <Outlet />
      </main>
      {showsKeys && (
        <Dialog title={nav.keys} onClose={() => setShowsKeys(false)}>
          <dl className="keys">
            {screenWords.keyList.map(([key, does]) => (
              <div key={key}>
                <dt>
                  <kbd>{key}</kbd>
                </dt>
                <dd>{does}</dd>
              </div>
            ))}
          </dl>
          <div className="actions">
            <button type="button" onClick={() => setShowsKeys(false)}>
              {words.close}
            </button>
          </div>
        </Dialog>
      )}
    </>
  )
}

function isOffline(error: Error | null): boolean {
  return error instanceof Problem && error.code === 'UNREACHABLE'
}

/** Finds resources by anything of them, and what has an id by that. */
function Search({ input }: { readonly input: React.RefObject<HTMLInputElement | null> }) {
  const navigate = useNavigate()
  const [text, setText] = useState('')
  return (
    <search>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          const found = text.trim()
          if (found === '') return
          setText('')
          void navigate(placeFor(found))
        }}
      >
        <input
          ref={input}
          type="search"
          value={text}
          placeholder={`${screenWords.search} (Ctrl K)`}
          aria-label={screenWords.search}
          onChange={(event) => setText(event.target.value)}
        />
      </form>
    </search>
  )
}

function placeFor(text: string) {
  const prefix = /^(req|grt|ses)_[0-9a-z]{26}$/.exec(text)?.[1]
  if (prefix === 'req') return { to: '/requests/$id', params: { id: text } } as const
  if (prefix === 'grt') return { to: '/grants/$id', params: { id: text } } as const
  if (prefix === 'ses') return { to: '/sessions/$id', params: { id: text } } as const
  return { to: '/catalog', search: { q: text } } as const
}

const places = {
  h: '/',
  c: '/catalog',
  r: '/requests',
  g: '/grants',
  s: '/sessions',
  l: '/audit',
  p: '/people',
  u: '/setup',
  t: '/tokens',
  w: '/why',
} as const
const chordMs = 1500

function useKeys(search: React.RefObject<HTMLInputElement | null>, showKeys: () => void): void {
  const navigate = useNavigate()
  useEffect(() => {
    let begunAt = Number.NEGATIVE_INFINITY
    const onKey = (event: KeyboardEvent) => {
      const { key, ctrlKey, metaKey } = event
      if ((ctrlKey || metaKey) && key === 'k') {
        event.preventDefault()
        return search.current?.focus()
      }
      if (isTyping(event)) return
      const isSecond = performance.now() - begunAt < chordMs
      begunAt = Number.NEGATIVE_INFINITY
      if (isSecond && key in places) return void navigate({ to: places[key as keyof typeof places] })
      if (key === 'g') begunAt = performance.now()
      else if (key === '?') showKeys()
      else if (key === '/') {
        event.preventDefault()
        search.current?.focus()
      }
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [navigate, search])
}
