import './watch.css'
import { Link } from '@tanstack/react-router'
import { useEffect, useRef, useState, useSyncExternalStore } from 'react'
import type { Named } from '../../../contract/references.ts'
import { nameOf } from '../../data/names.ts'
import { useAnswer, useMe } from '../../data/queries.ts'
import { State } from '../../parts/marks.tsx'
import { Page } from '../../parts/page.tsx'
import { Person } from '../../parts/person.tsx'
import { ProblemNote } from '../../parts/problem-note.tsx'
import { Watch, type WatchEnd, type WatchState } from '../../terminal/watch.ts'
import { sentence, visible } from '../../words/en.ts'
import { furtherWords } from '../../words/further.ts'
import { whoOf } from './session-list.tsx'

const texts = furtherWords.watch
const tones = { connecting: 'wait', live: 'good', over: 'over' } as const

/** `/sessions/ID/watch`: the terminal of another person as it is shown to them, who is told. */
export default function WatchScreen({ params: { id = '' } }: { readonly params: Readonly<Record<string, string>> }) {
  const answer = useAnswer('sessions', 'GET /api/v1/sessions/:id', { params: { id } })
  const session = answer.data?.session
  if (answer.error && !session)
    return (
      <Page title={texts.title}>
        <ProblemNote problem={answer.error} onRetry={() => void answer.refetch()} />
      </Page>
    )
  if (!session) return null
  return (
    <Watched
      id={id}
      title={texts.one(visible(nameOf(session.resourceId)))}
      who={whoOf(session)}
      endReason={session.endReason}
    />
  )
}

interface WatchedProps {
  readonly id: string
  readonly title: string
  readonly who: Named
  readonly endReason: string | null
}

function Watched({ id, title, who, endReason }: WatchedProps) {
  const { container, state } = useWatch(id)
  return (
    <Page
      title={title}
      aside={
        <>
          <State tone={tones[state.phase]} text={texts.phase[state.phase]} />
          <Link to="/sessions/$id" params={{ id }} className="button">
            {texts.stop}
          </Link>
        </>
      }
    >
      <p className="muted apart">
        <Person person={who} /> {texts.told}
      </p>
      <div role="status">
        {state.skipped > 0 && <p className="note">{texts.skipped(state.skipped)}</p>}
        {state.end && <Ended id={id} end={state.end} reason={endReason} />}
      </div>
      <section className="emulator watched" ref={container} aria-label={texts.screen} />
      {state.notices.map((notice, i) => (
        <p key={`${i}${notice}`} className="note">
          {sentence(notice)}
        </p>
      ))}
    </Page>
  )
}

const atFirst: WatchState = { phase: 'connecting', notices: [], skipped: 0 }
const readNothing = () => atFirst
const watchNothing = () => () => {}

function useWatch(id: string) {
  const container = useRef<HTMLElement>(null)
  const [watch, setWatch] = useState<Watch>()
  useEffect(() => {
    if (!container.current) return
    const opened = new Watch(container.current, id)
    setWatch(opened)
    return () => {
      opened.close()
      setWatch(undefined)
    }
  }, [id])
  const state = useSyncExternalStore(watch?.subscribe ?? watchNothing, watch?.read ?? readNothing)
  return { container, state }
}

interface EndedProps {
  readonly id: string
  readonly end: WatchEnd
  /** Of the session, once it is known. */
  readonly reason: string | null
}

function Ended({ id, end, reason }: EndedProps) {
  const me = useMe()
  return (
    <div className="problem">
      <p>{end.how === 'refused' ? sentence(end.text) : end.how === 'lost' ? texts.lost : texts.ended(end.exitCode)}</p>
      {end.how === 'ended' && reason !== null && <p className="muted">{sentence(reason)}</p>}
      {me?.can.audit && (
        <div className="actions">
          <Link to="/recordings/$id" params={{ id }} className="button">
            {texts.recording}
          </Link>
        </div>
      )}
    </div>
  )
}
