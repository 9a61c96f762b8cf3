import './terminal.css'
import { useCallback, useEffect, useState } from 'react'
import { type Problem, toProblem } from '../../data/problem.ts'
import { signInPath } from '../../data/sign-in.ts'
import { Message } from '../../parts/message.tsx'
import { sentence, words } from '../../words/en.ts'
import { type HeldGrant, loadGrant } from './load-grant.ts'
import { TerminalPage } from './terminal-page.tsx'

const refreshMs = 30_000
const texts = words.terminal

interface Loaded {
  readonly held?: HeldGrant | undefined
  /** Of the last attempt. */
  readonly problem?: Problem | undefined
  readonly isLoaded: boolean
}

/** `/terminal/GRANT`: a shell by one of the person's own grants, in a window of its own. */
export default function TerminalScreen({ params }: { readonly params: Readonly<Record<string, string>> }) {
  const { loaded, reload } = useGrant(params.grant ?? '')
  const { held, problem, isLoaded } = loaded
  if (held && held.grant.kind !== 'ec2-instance')
    return <Message title={texts.noTerminal}>{texts.noTerminalHint}</Message>
  if (held && (held.grant.state === 'active' || loaded.hasBegun))
    return <TerminalPage held={held} problem={problem} reload={reload} />
  if (!isLoaded) return null
  if (problem) return <ProblemMessage problem={problem} reload={reload} />
  return held ? <OverMessage held={held} /> : <Message title={texts.noGrant}>{texts.noGrantHint}</Message>
}

/** What is shown stays when a later attempt fails. */
function useGrant(id: string) {
  const [loaded, setLoaded] = useState<Loaded & { readonly hasBegun: boolean }>({ isLoaded: false, hasBegun: false })
  const reload = useCallback(async () => {
    try {
      const held = await loadGrant(id)
      setLoaded(({ hasBegun }) => ({ held, isLoaded: true, hasBegun: hasBegun || held?.grant.state === 'active' }))
    } catch (error) {
      setLoaded((before) => ({ ...before, problem: toProblem(error), isLoaded: true }))
    }
  }, [id])
  useEffect(() => {
    void reload()
    const timer = setInterval(() => void reload(), refreshMs)
    return () => clearInterval(timer)
  }, [reload])
  return { loaded, reload }
}

function OverMessage({ held: { grant } }: { readonly held: HeldGrant }) {
  return (
    <Message title={texts.over}>
      <p>{sentence(grant.endText ?? grant.endReason ?? grant.state)}</p>
    </Message>
  )
}

function ProblemMessage({ problem, reload }: { readonly problem: Problem; reload(): Promise<void> }) {
  const { code, message, requestId } = problem
  if (code === 'LOGIN_REQUIRED')
    return (
      <Message title={words.signedOut}>
        <a className="button main" href={signInPath()}>
          {words.signInAgain}
        </a>
      </Message>
    )
  return (
    <Message title={code === 'UNREACHABLE' ? words.unreachable : sentence(message)}>
      {requestId && <p className="muted">{words.requestId(requestId)}</p>}
      <button type="button" className="main" onClick={() => void reload()}>
        {words.tryAgain}
      </button>
    </Message>
  )
}
