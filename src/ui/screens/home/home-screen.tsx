import './home.css'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import type { GrantView } from '../../../contract/grants.ts'
import type { RequestView } from '../../../contract/requests.ts'
import { nameOf } from '../../data/names.ts'
import { useAct, useList, useMe } from '../../data/queries.ts'
import { Bars } from '../../parts/data-list.tsx'
import { Level, ResourceName } from '../../parts/marks.tsx'
import { useNow } from '../../parts/now.ts'
import { Page } from '../../parts/page.tsx'
import { ProblemNote } from '../../parts/problem-note.tsx'
import { Time, TimeLeft } from '../../parts/time.tsx'
import { approver, visible } from '../../words/en.ts'
import { screenWords } from '../../words/screens.ts'
import { span, when } from '../../words/times.ts'
import { ExtendDialog } from '../grants/grant-dialogs.tsx'

const texts = screenWords.home
const mostBefore = 10

/** `/`: what I can open now, what I wait for, and what I had. */
export default function HomeScreen() {
  const me = useMe()
  const grants = useList('grants', 'GET /api/v1/grants', { who: 'me' })
  const mine = useList('requests', 'GET /api/v1/requests', { box: 'mine', all: true })
  const waiting = mine.items.filter(({ status }) => status === 'pending')
  const before = lastOfEach(mine.items.filter((one) => isOver(one, grants.items))).slice(0, mostBefore)
  const problem = grants.problem ?? mine.problem
  return (
    <Page title={screenWords.nav.home}>
      {problem && <ProblemNote problem={problem} onRetry={grants.reload} />}
      <section className="home" aria-labelledby="live">
        <h2 id="live">
          {texts.live} {!grants.isLoading && !grants.problem && <span className="muted">{grants.items.length}</span>}
        </h2>
        {grants.isLoading && <Bars />}
        {!grants.isLoading && !grants.problem && grants.items.length === 0 && (
          <p className="empty">
            {texts.nothing} <Link to="/catalog">{texts.openCatalog}</Link>
          </p>
        )}
        <ul>
          {grants.items.map((grant) => (
            <LiveRow key={grant.id} grant={grant} />
          ))}
        </ul>
      </section>
      {waiting.length > 0 && (
        <section className="home" aria-labelledby="waiting">
          <h2 id="waiting">
            {texts.waiting} <span className="muted">{waiting.length}</span>
          </h2>
          <ul>
            {waiting.map((request) => (
              <WaitingRow key={request.id} request={request} isMine={request.beneficiary.id === me?.principal.id} />
            ))}
          </ul>
        </section>
      )}
      {before.length > 0 && (
        <section className="home" aria-labelledby="before">
          <h2 id="before">{texts.before}</h2>
          <ul>
            {before.map((request) => (
              <li key={request.id}>
                <Link to="/requests/$id" params={{ id: request.id }} className="open">
                  <ResourceName id={request.resourceId} kind={request.kind} />
                </Link>
                <Level level={request.level} />
                <span className="muted">{span(request.durationMs)}</span>
                <span className="said">{request.reason === null ? '' : `“${visible(request.reason)}”`}</span>
                <Time at={request.createdAt} />
                <Link
                  to="/catalog"
                  search={{ ask: request.resourceId, q: nameOf(request.resourceId), again: request.id } as never}
                  className="button"
                >
                  {texts.askAgain}
                </Link>
              </li>
            ))}
          </ul>
        </section>
      )}
    </Page>
  )
}

function LiveRow({ grant }: { readonly grant: GrantView }) {
  const [isExtending, setExtending] = useState(false)
  return (
    <li>
      <Link to="/grants/$id" params={{ id: grant.id }} className="open">
        <ResourceName id={grant.resourceId} kind={grant.kind} />
      </Link>
      <Level level={grant.level} />
      <TimeLeft until={grant.endsAt} />
      <span className="acts">
        <button type="button" onClick={() => setExtending(true)}>
          {texts.extend}
        </button>
        <Link to="/grants/$id" params={{ id: grant.id }} className="button main">
          {texts.connect}
        </Link>
      </span>
      {isExtending && <ExtendDialog grant={grant} onClose={() => setExtending(false)} />}
    </li>
  )
}

function WaitingRow({ request, isMine }: { readonly request: RequestView; readonly isMine: boolean }) {
  const now = useNow()
  const cancel = useAct('POST /api/v1/requests/:id/cancel', ['requests'])
  const { stage, stages } = request
  const current = stage === null ? undefined : stages[stage]
  return (
    <li>
      <Link to="/requests/$id" params={{ id: request.id }} className="open">
        <ResourceName id={request.resourceId} kind={request.kind} />
      </Link>
      <Level level={request.level} />
      <span className="muted">{span(request.durationMs)}</span>
      <span className="said">
        {current &&
          texts.stage((stage ?? 0) + 1, stages.length, current.anyOf.map(approver).join(screenWords.catalog.or))}
        {!isMine && ` (${visible(request.beneficiary.name)})`}
      </span>
      <span className="muted">
        <Time at={request.createdAt} />, {texts.lapses(when(request.expiresAt, now))}
      </span>
      <span className="acts">
        <button
          type="button"
          disabled={cancel.isPending}
          onClick={() => cancel.mutate({ params: { id: request.id }, body: {} })}
        >
          {cancel.isPending ? screenWords.asking : texts.cancel}
        </button>
      </span>
      {cancel.error && <ProblemNote problem={cancel.error} />}
    </li>
  )
}

function isOver({ status, grantId }: RequestView, live: readonly GrantView[]): boolean {
  return status !== 'pending' && !live.some(({ id }) => id === grantId)
}

/** Of the same resource and level only the newest. */
function lastOfEach(requests: readonly RequestView[]): RequestView[] {
  const seen = new Map<string, RequestView>()
  for (const request of requests) {
    const key = `${request.resourceId} ${request.level}`
    if (!seen.has(key)) seen.set(key, request)
  }
  return [...seen.values()]
}
