import './grants.css'
import { useState } from 'react'
import type { GrantView } from '../../../contract/grants.ts'
import type { SessionView } from '../../../contract/sessions.ts'
import { nameOf } from '../../data/names.ts'
import { useAnswer, useList, useMe } from '../../data/queries.ts'
import { Bars } from '../../parts/data-list.tsx'
import { Facts } from '../../parts/facts.tsx'
import { Id, Level, ResourceName, State, Tags } from '../../parts/marks.tsx'
import { Page } from '../../parts/page.tsx'
import { PersonOrYou } from '../../parts/person.tsx'
import { ProblemNote } from '../../parts/problem-note.tsx'
import { Time, TimeLeft } from '../../parts/time.tsx'
import { sentence, visible } from '../../words/en.ts'
import { screenWords } from '../../words/screens.ts'
import { SessionList } from '../sessions/session-list.tsx'
import { Connect } from './connect.tsx'
import { ExtendDialog, GiveBackDialog, RevokeDialog } from './grant-dialogs.tsx'
import { grantTones } from './grants-screen.tsx'

const texts = screenWords.grants

/** `/grants/ID`: how to connect by it, what was done with it, and its end. */
export default function GrantScreen({ params: { id = '' } }: { readonly params: Readonly<Record<string, string>> }) {
  const me = useMe()
  const answer = useAnswer('grants', 'GET /api/v1/grants/:id', { params: { id } })
  const grant = answer.data?.grant
  const sessions = useList('sessions', 'GET /api/v1/sessions', grant ? { resource: grant.resourceId } : { mine: true })
  if (answer.error && !grant)
    return (
      <Page title={texts.title}>
        <ProblemNote problem={answer.error} onRetry={() => void answer.refetch()} />
      </Page>
    )
  if (!grant)
    return (
      <Page title={texts.title}>
        <Bars />
      </Page>
    )
  const own = sessions.items.filter(({ grantId }) => grantId === grant.id)
  const isMine = me?.principal.id === grant.principal.id
  const isLive = grant.state === 'active'
  return (
    <Page
      title={texts.one(visible(nameOf(grant.resourceId)))}
      aside={
        <>
          <State tone={grantTones[grant.state]} text={texts.state[grant.state]} />
          {isLive && <TimeLeft until={grant.endsAt} />}
        </>
      }
    >
      {grant.state === 'tampered' && (
        <p className="problem" role="alert">
          {texts.tampered}
        </p>
      )}
      {!isLive && (grant.endText ?? grant.endReason) !== null && (
        <p className="note apart">{texts.ended(sentence(grant.endText ?? grant.endReason ?? ''))}</p>
      )}
      <GrantFacts grant={grant} />
      {isLive && <Acts grant={grant} sessions={own} isMine={isMine} />}
      {isLive && isMine && <Connect grant={grant} />}
      <h2>{texts.sessions}</h2>
      <SessionList list={{ ...sessions, items: own, total: own.length }} empty={<p>{texts.noSessions}</p>} />
    </Page>
  )
}

const pushTones = { granting: 'wait', granted: 'good', failed: 'bad', removing: 'wait' } as const

function GrantFacts({ grant }: { readonly grant: GrantView }) {
  const { facts } = screenWords.requests
  return (
    <Facts
      facts={[
        [facts.who, <PersonOrYou key="p" person={grant.principal} />],
        [
          facts.what,
          <>
            <ResourceName id={grant.resourceId} kind={grant.kind} />
            <br />
            <code className="muted whole">{visible(grant.resourceId)}</code>
          </>,
        ],
        [facts.level, <Level key="l" level={grant.level} />],
        grant.loginName === null ? undefined : [facts.login, <code key="n">{visible(grant.loginName)}</code>],
        grant.sessionTags === null ? undefined : ['Session tags', <Tags key="t" tags={grant.sessionTags} />],
        [facts.rule, visible(grant.rule)],
        [
          facts.span,
          <>
            <Time at={grant.startsAt} form="when" /> – <Time at={grant.endsAt} form="when" />
          </>,
        ],
        grant.push === null
          ? undefined
          : [
              texts.inAws,
              <State
                key="a"
                tone={pushTones[grant.push.state]}
                text={`${texts.push[grant.push.state]} ${grant.push.reason === null ? '' : sentence(grant.push.reason)}`}
              />,
            ],
        grant.outlivesUntil === null
          ? undefined
          : [texts.outlives, <Time key="o" at={grant.outlivesUntil} form="when" />],
        ['Id', <Id key="i" id={grant.id} />],
      ]}
    />
  )
}

interface ActsProps {
  readonly grant: GrantView
  readonly sessions: readonly SessionView[]
  readonly isMine: boolean
}

function Acts({ grant, sessions, isMine }: ActsProps) {
  const [open, setOpen] = useState<'extend' | 'back' | 'revoke'>()
  const close = () => setOpen(undefined)
  return (
    <div className="actions start">
      {isMine && (
        <>
          <button type="button" onClick={() => setOpen('extend')}>
            {texts.extend}
          </button>
          <button type="button" onClick={() => setOpen('back')}>
            {texts.giveBack}
          </button>
        </>
      )}
      {!isMine && (
        <button type="button" className="danger" onClick={() => setOpen('revoke')}>
          {texts.revoke}
        </button>
      )}
      {open === 'extend' && <ExtendDialog grant={grant} onClose={close} />}
      {open === 'back' && <GiveBackDialog grant={grant} sessions={sessions} onClose={close} />}
      {open === 'revoke' && <RevokeDialog grant={grant} sessions={sessions} onClose={close} />}
    </div>
  )
}
