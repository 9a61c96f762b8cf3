import type { RefObject } from 'react'
import { serverNow } from '../../data/clock.ts'
import { Person } from '../../parts/person.tsx'
import { timeLeft, visible, words } from '../../words/en.ts'
import { endOf, type HeldGrant } from './load-grant.ts'
import { useTick } from './use-shell.ts'

const texts = words.terminal
const shortMs = 5 * 60_000

interface TopBarProps {
  readonly held: HeldGrant
  readonly name: string
  readonly osUser: string | undefined
  readonly begunAt: number | undefined
  readonly isOver: boolean
  readonly firstButton: RefObject<HTMLButtonElement | null>
  changeFontSize(by: number): void
  copy(): void
  showKeys(): void
}

/** Where this terminal is, as whom, and for how long. */
export function TopBar({
  held,
  name,
  osUser,
  begunAt,
  isOver,
  firstButton,
  changeFontSize,
  copy,
  showKeys,
}: TopBarProps) {
  const { grant, resource } = held
  const id = grant.resourceId.slice(grant.resourceId.lastIndexOf('/') + 1)
  const env = resource?.tags.env
  return (
    <header className="top">
      <div className="where">
        <span className="kind">ec2</span>
        <h1 title={grant.resourceId}>{name}</h1>
        {id !== name && <code className="muted">{visible(id)}</code>}
        {env !== undefined && <span className={env === 'prod' ? 'env prod' : 'env'}>{visible(env)}</span>}
        <span className="level">{visible(grant.level)}</span>
        {osUser !== undefined && <span className="muted">{texts.osUser(osUser)}</span>}
      </div>
      <div className="session">
        {!isOver && (
          <>
            <span className="rec" title={texts.recordedHint}>
              {texts.recorded}
            </span>
            <TimeLeft endsAt={endOf(held, begunAt)} />
          </>
        )}
        <Person person={grant.principal} />
      </div>
      <div className="tools" role="toolbar" aria-label="Terminal">
        <button type="button" ref={firstButton} onClick={() => changeFontSize(-1)} aria-label={texts.smaller}>
          A−
        </button>
        <button type="button" onClick={() => changeFontSize(1)} aria-label={texts.larger}>
          A+
        </button>
        <button type="button" onClick={copy} title={texts.copySelectionHint}>
          {texts.copySelection}
        </button>
        <button type="button" onClick={showKeys}>
          {texts.keys}
        </button>
      </div>
    </header>
  )
}

function TimeLeft({ endsAt }: { readonly endsAt: number }) {
  useTick()
  const leftMs = endsAt - serverNow()
  return (
    <time
      className={leftMs < shortMs ? 'left short' : 'left'}
      dateTime={new Date(endsAt).toISOString()}
      title={new Date(endsAt).toLocaleString()}
    >
      {timeLeft(leftMs)}
    </time>
  )
}
