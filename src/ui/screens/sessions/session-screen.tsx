import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { nameOf, shortId } from '../../data/names.ts'
import { useAnswer, useMe } from '../../data/queries.ts'
import { Bars } from '../../parts/data-list.tsx'
import { type Fact, Facts } from '../../parts/facts.tsx'
import { Id, Level, ResourceName, State } from '../../parts/marks.tsx'
import { Page } from '../../parts/page.tsx'
import { PersonOrYou } from '../../parts/person.tsx'
import { ProblemNote } from '../../parts/problem-note.tsx'
import { Time } from '../../parts/time.tsx'
import { visible } from '../../words/en.ts'
import { screenWords } from '../../words/screens.ts'
import { size } from '../../words/times.ts'
import { EndDialog, whoOf } from './session-list.tsx'

const texts = screenWords.sessions

/** `/sessions/ID` */
export default function SessionScreen({ params: { id = '' } }: { readonly params: Readonly<Record<string, string>> }) {
  const me = useMe()
  const [isEnding, setEnding] = useState(false)
  const answer = useAnswer('sessions', 'GET /api/v1/sessions/:id', { params: { id } })
  const session = answer.data?.session
  if (answer.error && !session)
    return (
      <Page title={texts.title}>
        <ProblemNote problem={answer.error} onRetry={() => void answer.refetch()} />
      </Page>
    )
  if (!session)
    return (
      <Page title={texts.title}>
        <Bars />
      </Page>
    )
  const { facts } = texts
  return (
    <Page
      title={texts.one(visible(nameOf(session.resourceId)))}
      aside={
        <State
          tone={session.endedAt === null ? 'good' : 'over'}
          text={session.endedAt === null ? texts.live : (session.endReason ?? '')}
        />
      }
    >
      <Facts
        facts={[
          [facts.who, <PersonOrYou key="p" person={whoOf(session)} />],
          [
            facts.what,
            <>
              <ResourceName id={session.resourceId} kind={session.kind} /> <Level level={session.level} />
            </>,
          ],
          [facts.client, visible([session.tool ?? session.via, session.address].join(', '))],
          ...Object.entries(session.detail).map(([key, value]): Fact => [visible(key), visible(value)]),
          [facts.began, <Time key="b" at={session.openedAt} form="exact" />],
          session.endedAt === null ? undefined : [facts.ended, <Time key="e" at={session.endedAt} form="exact" />],
          [facts.data, `↑ ${size(session.bytesUp)}  ↓ ${size(session.bytesDown)}`],
          [
            facts.grant,
            <Link key="g" to="/grants/$id" params={{ id: session.grantId }}>
              <code>{shortId(session.grantId)}</code>
            </Link>,
          ],
          [facts.recording, session.endedAt === null ? texts.recording : texts.recorded(session.recording.entries)],
          ['Id', <Id key="i" id={session.id} />],
        ]}
      />
      {me?.can.audit && (
        <div className="actions start">
          <Link to="/recordings/$id" params={{ id: session.id }} className="button main">
            {texts.play}
          </Link>
          <span className="muted">{texts.playHint}</span>
        </div>
      )}
      {session.endedAt === null && (
        <div className="actions start">
          {session.kind === 'ec2-instance' && (me?.can.audit || me?.can.decide) && (
            <Link to="/sessions/$id/watch" params={{ id: session.id }} className="button">
              {texts.watch}
            </Link>
          )}
          <button type="button" className="danger" onClick={() => setEnding(true)}>
            {texts.end}
          </button>
        </div>
      )}
      {isEnding && <EndDialog session={session} onClose={() => setEnding(false)} />}
    </Page>
  )
}
