import './requests.css'
import { Link } from '@tanstack/react-router'
import { type ComponentProps, useState } from 'react'
import type { RequestContext, RequestView } from '../../../contract/requests.ts'
import { nameOf } from '../../data/names.ts'
import { useAct, useAnswer, useMe } from '../../data/queries.ts'
import { Bars } from '../../parts/data-list.tsx'
import { type Fact, Facts } from '../../parts/facts.tsx'
import { Level, ResourceName, State, Tags } from '../../parts/marks.tsx'
import { useNow } from '../../parts/now.ts'
import { Page } from '../../parts/page.tsx'
import { Person, PersonOrYou } from '../../parts/person.tsx'
import { ProblemNote } from '../../parts/problem-note.tsx'
import { Time } from '../../parts/time.tsx'
import { approver, sentence, visible } from '../../words/en.ts'
import { screenWords } from '../../words/screens.ts'
import { span, when } from '../../words/times.ts'
import { Decided, DecisionBar } from './decision-bar.tsx'
import { LikeUse, useLikeUse } from './like-use.tsx'
import { requestTones } from './requests-screen.tsx'

const texts = screenWords.requests

/** `/requests/ID`: everything that a decision covers, and the decision. */
export default function RequestScreen({ params: { id = '' } }: { readonly params: Readonly<Record<string, string>> }) {
  const answer = useAnswer('requests', 'GET /api/v1/requests/:id', { params: { id } })
  // What was read first stays until it is read again: a decision is about what was on screen.
  const [read, setRead] = useState<RequestView>()
  const [decided, setDecided] = useState<ComponentProps<typeof Decided>>()
  const current = answer.data?.request
  const use = useLikeUse(id, current?.canDecide === true)
  if (current && read?.id !== current.id) setRead(current)
  if (answer.error && !answer.data)
    return (
      <Page title={texts.title}>
        <ProblemNote problem={answer.error} onRetry={() => void answer.refetch()} />
      </Page>
    )
  if (!answer.data || !current || !read)
    return (
      <Page title={texts.title}>
        <Bars />
      </Page>
    )
  const isOther = read.digest !== current.digest || (current.status === 'pending' && read.stage !== current.stage)
  const hasChanged = isOther && decided?.outcome.request.id !== id
  return (
    <Page
      title={texts.one(visible(nameOf(current.resourceId)))}
      aside={<State tone={requestTones[current.status]} text={texts.state[current.status]} />}
    >
      <article className="one">
        <RequestFacts request={current} context={answer.data.context} before={hasChanged ? read : undefined} />
        <LikeUse use={use} kind={current.kind} />
        <Decisions request={current} />
        {current.statusReason !== null && <p className="note">{sentence(current.statusReason)}</p>}
        {decided?.outcome.request.id === id ? (
          <Decided {...decided} />
        ) : hasChanged && current.status === 'pending' ? (
          <div className="problem" role="alert">
            <p>{texts.changed}</p>
            <div className="actions">
              <button type="button" onClick={() => setRead(current)}>
                {texts.readAgain}
              </button>
            </div>
          </div>
        ) : (
          <DecisionBar
            request={read}
            smaller={use.data?.smaller ?? null}
            onDecided={(verdict, outcome) => setDecided({ verdict, outcome })}
          />
        )}
        <Own request={current} />
      </article>
    </Page>
  )
}

interface RequestFactsProps {
  readonly request: RequestView
  readonly context: RequestContext
  /** As it was read, when it has changed since. */
  readonly before: RequestView | undefined
}

function RequestFacts({ request, context, before }: RequestFactsProps) {
  const now = useNow()
  const facts = texts.facts
  const changed = (name: keyof RequestView, shown: string): Fact[1] =>
    before && before[name] !== request[name] ? (
      <>
        <del>{visible(String(before[name]))}</del> <ins>{shown}</ins>
      </>
    ) : (
      shown
    )
  return (
    <Facts
      facts={[
        [
          facts.who,
          <>
            <PersonOrYou person={request.beneficiary} />
            {request.requester.id !== request.beneficiary.id && (
              <span className="muted">
                {' '}
                ({texts.forOther('')} <Person person={request.requester} />)
              </span>
            )}
          </>,
        ],
        [
          facts.what,
          <>
            <ResourceName id={request.resourceId} kind={request.kind} tags={context.tags} />
            <br />
            <code className="muted whole">{visible(request.resourceId)}</code>
          </>,
        ],
        request.targetId === null ? undefined : [facts.target, <code key="t">{visible(request.targetId)}</code>],
        [facts.tags, <Tags key="g" tags={context.tags} />],
        [facts.level, <Level key="l" level={request.level} />],
        ...context.means.map(({ label, value }): Fact => [visible(label), visible(value)]),
        request.loginName === null ? undefined : [facts.login, <code key="n">{visible(request.loginName)}</code>],
        request.sessionTags === null ? undefined : ['Session tags', <Tags key="s" tags={request.sessionTags} />],
        [
          facts.span,
          changed(
            'durationMs',
            request.extendsGrantId === null
              ? `${texts.spanFrom(span(request.durationMs))}${request.status === 'pending' ? `, ${when(now + request.durationMs, now)}` : ''}`
              : texts.extends(span(request.durationMs)),
          ),
        ],
        [
          facts.reason,
          request.reason === null ? (
            <span className="muted">{texts.noReason}</span>
          ) : (
            <q className="said">{visible(request.reason)}</q>
          ),
        ],
        request.ticket === null ? undefined : [facts.ticket, visible(request.ticket)],
        [facts.rule, changed('rule', visible(request.rule))],
        [facts.stages, <Stages key="a" request={request} before={before} />],
        [facts.before, texts.before(context.grants30d, context.denied30d, context.openSessions)],
        request.limits.length === 0
          ? undefined
          : [facts.limits, request.limits.map((limit) => <div key={limit}>{sentence(limit)}</div>)],
        [
          facts.digest,
          <span key="d" title={request.digest}>
            <code>{request.digest.slice(0, 8)}</code> <span className="muted">{texts.covers}</span>
          </span>,
        ],
      ]}
    />
  )
}

/** Who has to approve, stage by stage, after who had to. */
function Stages({ request, before }: Pick<RequestFactsProps, 'request' | 'before'>) {
  const was = before && inWords(before.stages)
  const stages = request.stages.map(({ anyOf, count, approvals }, i) => (
    <div key={anyOf.join()} className={i === request.stage ? 'stage now' : 'stage'}>
      {anyOf.map(approver).join(screenWords.catalog.or)}{' '}
      <span className="muted">{texts.stage(i + 1, approvals, count)}</span>
    </div>
  ))
  const shown = stages.length === 0 ? screenWords.catalog.noApproval : stages
  if (was === undefined || was === inWords(request.stages)) return shown
  return (
    <>
      <del>{was}</del>
      <ins>{shown}</ins>
    </>
  )
}

function inWords(stages: RequestView['stages']): string {
  const parts = stages.map(({ anyOf, count }) => `${count} × ${anyOf.map(approver).join(screenWords.catalog.or)}`)
  return parts.join(screenWords.catalog.next) || screenWords.catalog.noApproval
}

function Decisions({ request: { decisions } }: { readonly request: RequestView }) {
  if (decisions.length === 0) return null
  return (
    <ul className="decisions">
      {decisions.map(({ by, verdict, at, comment, counts }) => (
        <li key={`${by.id}${at}`}>
          <PersonOrYou person={by} /> {texts.verdict[verdict]} <Time at={at} />
          {!counts && <span className="muted"> ({texts.void})</span>}
          {comment !== null && <q className="said">{visible(comment)}</q>}
        </li>
      ))}
    </ul>
  )
}

/** What the one who asked can do. */
function Own({ request }: { readonly request: RequestView }) {
  const me = useMe()?.principal.id
  const cancel = useAct('POST /api/v1/requests/:id/cancel', ['requests'])
  const isOwn = request.requester.id === me || request.beneficiary.id === me
  return (
    <div className="actions">
      {cancel.error && <ProblemNote problem={cancel.error} />}
      {request.grantId !== null && (
        <Link to="/grants/$id" params={{ id: request.grantId }} className="button">
          {texts.toGrant}
        </Link>
      )}
      {isOwn && request.grantId === null && request.status !== 'pending' && (
        <Link
          to="/catalog"
          search={{ ask: request.resourceId, q: nameOf(request.resourceId), again: request.id } as never}
          className="button"
        >
          {texts.askAgain}
        </Link>
      )}
      {isOwn && request.status === 'pending' && (
        <button
          type="button"
          disabled={cancel.isPending}
          onClick={() => cancel.mutate({ params: { id: request.id }, body: {} })}
        >
          {cancel.isPending ? screenWords.asking : texts.cancel}
        </button>
      )}
    </div>
  )
}
