import { useState } from 'react'
import { shellWord } from '../../../../proxy/local/shell-quote.ts'
import type { Problem } from '../../data/problem.ts'
import { signInPath } from '../../data/sign-in.ts'
import { Snippet } from '../../parts/snippet.tsx'
import type { Shell, ShellState } from '../../terminal/shell.ts'
import type { ShellEnd } from '../../terminal/shell-socket.ts'
import { sentence, words } from '../../words/en.ts'
import type { HeldGrant } from './load-grant.ts'
import { useTick } from './use-shell.ts'

const texts = words.terminal

interface EndBarProps {
  readonly held: HeldGrant
  readonly state: ShellState
  readonly shell: Shell
  readonly problem: Problem | undefined
}

/** Why the shell is over, or not there yet, and how to go on. */
export function EndBar({ held: { grant }, state: { phase, end, retryAt, awayUntil }, shell, problem }: EndBarProps) {
  const [isAsking, setAsking] = useState(false)
  if (phase === 'away' && problem?.code !== 'LOGIN_REQUIRED') return <AwayBar until={awayUntil ?? 0} shell={shell} />
  if (phase === 'connecting' || phase === 'live' || !end) return null
  const isHeld = grant.state === 'active'
  const isSignedOut = problem?.code === 'LOGIN_REQUIRED'
  const isBad = end.how !== 'exit' || end.text !== undefined
  return (
    <section
      className={isBad ? 'end bad' : 'end'}
      aria-label={texts.connection}
      role={phase === 'over' ? 'alert' : undefined}
    >
      <div className="why">
        <p>{isSignedOut ? words.signedOut : <Why end={end} retryAt={retryAt} grantText={grant.endText} />}</p>
        {end.how === 'refused' && end.hint !== undefined && <p className="muted">{sentence(end.hint)}</p>}
      </div>
      <div className="actions">
        {phase === 'over' && (
          <button type="button" onClick={() => void shell.screen.copyAll()}>
            {texts.copyAll}
          </button>
        )}
        {isSignedOut && (
          <a className="button main" href={signInPath()}>
            {words.signInAgain}
          </a>
        )}
        {!isSignedOut && isHeld && (
          <button type="button" className="main" onClick={() => again(shell)}>
            {phase === 'waiting' ? texts.tryNow : texts.newShell}
          </button>
        )}
        {!isSignedOut && !isHeld && (
          <button type="button" className="main" aria-expanded={isAsking} onClick={() => setAsking(!isAsking)}>
            {texts.askAgain}
          </button>
        )}
      </div>
      {isAsking && !isHeld && (
        <div className="ask">
          <p className="muted">{texts.askHint}</p>
          <Snippet text={requestCommand(grant)} />
        </div>
      )}
    </section>
  )
}

/** What counts down is no part of what screen readers say. */
function AwayBar({ until, shell }: { readonly until: number; readonly shell: Shell }) {
  useTick()
  return (
    <section className="end wait" aria-label={texts.connection}>
      <div className="why">
        <p role="status">{texts.away}</p>
        <p className="muted">{texts.awayHint(Math.max(0, Math.ceil((until - Date.now()) / 1000)))}</p>
      </div>
      <div className="actions">
        <button type="button" onClick={() => again(shell)}>
          {texts.tryNow}
        </button>
      </div>
    </section>
  )
}

function Why({
  end,
  retryAt,
  grantText,
}: {
  readonly end: ShellEnd
  readonly retryAt: number | undefined
  readonly grantText: string | null
}) {
  useTick()
  if (retryAt !== undefined) return texts.waiting(Math.max(0, Math.ceil((retryAt - Date.now()) / 1000)))
  if (end.how === 'lost') return texts.lost
  // A session that ended while its connection was away has the grant's reason, if that is why.
  const isUnseen = end.how === 'refused' && end.code === 'RESUME_REFUSED' && grantText !== null
  const told = isUnseen ? grantText : (end.text ?? (end.how === 'cut' ? grantText : undefined))
  if (told) return sentence(told)
  return end.how === 'exit' ? texts.exited(end.exitCode) : texts.cut
}

function again(shell: Shell): void {
  shell.openAgain()
  shell.screen.focus()
}

function requestCommand({ resourceId, level }: HeldGrant['grant']): string {
  const [resource, wanted] = [resourceId, level].map(shellWord)
  return `sallyport request ${resource} --level ${wanted} --for 1h --reason 'why'`
}
