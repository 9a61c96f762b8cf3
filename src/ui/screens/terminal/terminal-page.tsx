import { useEffect, useRef, useState } from 'react'
import { serverNow } from '../../data/clock.ts'
import type { Problem } from '../../data/problem.ts'
import type { Shell, ShellState } from '../../terminal/shell.ts'
import { sentence, visible, words } from '../../words/en.ts'
import { KeysDialog, LinkDialog, PasteDialog } from './dialogs.tsx'
import { EndBar } from './end-bar.tsx'
import { KeyRow } from './key-row.tsx'
import { findOsUser, type HeldGrant } from './load-grant.ts'
import { StatusBar } from './status-bar.tsx'
import { TopBar } from './top-bar.tsx'
import { useFontSize, useShell } from './use-shell.ts'

const texts = words.terminal
const askAgainMs = 2000

interface TerminalPageProps {
  readonly held: HeldGrant
  readonly problem: Problem | undefined
  reload(): Promise<void>
}

/** Everything around the emulator is drawn outside it, where no program can imitate it. */
export function TerminalPage({ held, problem, reload }: TerminalPageProps) {
  const { grant } = held
  const toolbar = useRef<HTMLButtonElement>(null)
  const { container, shell, state } = useShell(grant, () => toolbar.current?.focus())
  const [showsKeys, setShowsKeys] = useState(false)
  const changeFontSize = useFontSize(shell)
  const { osUser, begunAt } = useOpenSession(held, state)
  const name = nameOf(held)
  const phase = state?.phase
  useEffect(() => {
    document.title = texts.title(name)
  }, [name])
  useEffect(() => {
    if (phase === 'over' || phase === 'waiting' || phase === 'away') void reload()
  }, [phase, reload])
  useAskBeforeLeaving(phase === 'live' || phase === 'away')
  const isCovered = showsKeys || state?.pasteAsked !== undefined || state?.linkAsked !== undefined
  useEffect(() => {
    // Not before: what a dialog covers takes no focus.
    if (!isCovered) shell?.screen.focus()
  }, [isCovered, shell])
  return (
    <div className="terminal-page" data-phase={phase ?? 'connecting'}>
      <TopBar
        held={held}
        name={name}
        osUser={osUser}
        begunAt={begunAt}
        isOver={phase === 'over'}
        firstButton={toolbar}
        changeFontSize={changeFontSize}
        copy={() => {
          void shell?.screen.copySelection()
          shell?.screen.focus()
        }}
        showKeys={() => setShowsKeys(true)}
      />
      <Notices state={state} shell={shell} />
      <main className="screen">
        {/* The label is not a live region: screen readers have xterm's own, and what matters is told outside. */}
        <section className="emulator" ref={container} aria-label={texts.label(name)} />
      </main>
      {shell && state && <EndBar held={held} state={state} shell={shell} problem={problem} />}
      {shell && <KeyRow shell={shell} />}
      <StatusBar state={state} />
      {shell && state?.pasteAsked !== undefined && <PasteDialog text={state.pasteAsked} onAnswer={shell.answerPaste} />}
      {shell && state?.linkAsked !== undefined && <LinkDialog address={state.linkAsked} onAnswer={shell.answerLink} />}
      {showsKeys && <KeysDialog onClose={() => setShowsKeys(false)} />}
    </div>
  )
}

function Notices({ state, shell }: { readonly state: ShellState | undefined; readonly shell: Shell | undefined }) {
  const { gap } = state ?? {}
  return (
    <div className="notices" aria-live="assertive">
      {state?.recordsInput && <p className="notice">{texts.inputRecorded}</p>}
      {state?.notice !== undefined && state.phase === 'live' && (
        <p className="notice">
          <span>{sentence(state.notice)}</span>
          <button type="button" className="quiet" onClick={shell?.putNoticeAway}>
            {texts.dismiss}
          </button>
        </p>
      )}
      {gap && (gap.skipped > 0 || gap.isTypedLost) && state?.phase === 'live' && (
        <p className="notice">
          <span>
            {gap.skipped > 0 && texts.skipped(gap.skipped)} {gap.isTypedLost && texts.typedLost}
          </span>
          <button type="button" className="quiet" onClick={shell?.putGapAway}>
            {texts.dismiss}
          </button>
        </p>
      )}
    </div>
  )
}

/** What is known of a session once it is open. */
function useOpenSession({ grant }: HeldGrant, state: ShellState | undefined) {
  const [osUser, setOsUser] = useState<string>()
  const [begunAt, setBegunAt] = useState<number>()
  const isLive = state?.phase === 'live'
  useEffect(() => {
    if (!isLive) return
    setBegunAt(serverNow())
    let timer: ReturnType<typeof setTimeout> | undefined
    let isLeft = false
    // It may not be on file yet, and it is only shown.
    const ask = async () => {
      const found = await findOsUser(grant).catch(() => undefined)
      if (isLeft) return
      if (found === undefined) timer = setTimeout(ask, askAgainMs)
      else setOsUser(found)
    }
    void ask()
    return () => {
      isLeft = true
      clearTimeout(timer)
    }
    // A grant that is extended is the same one.
  }, [isLive, grant.id])
  return { osUser, begunAt }
}

function useAskBeforeLeaving(isAsked: boolean): void {
  useEffect(() => {
    if (!isAsked) return
    const ask = (event: BeforeUnloadEvent) => event.preventDefault()
    addEventListener('beforeunload', ask)
    return () => removeEventListener('beforeunload', ask)
  }, [isAsked])
}

function nameOf({ grant, resource }: HeldGrant): string {
  return visible(resource?.tags.Name ?? resource?.name ?? grant.resourceId.slice(grant.resourceId.lastIndexOf('/') + 1))
}
