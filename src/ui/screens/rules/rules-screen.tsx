import './rules.css'
import type { RuleView } from '../../../contract/policy.ts'
import { useAnswer } from '../../data/queries.ts'
import { Bars } from '../../parts/data-list.tsx'
import { type Fact, Facts } from '../../parts/facts.tsx'
import { Level } from '../../parts/marks.tsx'
import { Page } from '../../parts/page.tsx'
import { ProblemNote } from '../../parts/problem-note.tsx'
import { Time } from '../../parts/time.tsx'
import { approver, visible } from '../../words/en.ts'
import { screenWords } from '../../words/screens.ts'
import { span } from '../../words/times.ts'

const texts = screenWords.rules

/** `/rules`: as they are judged, in their order. They are written in the configuration alone. */
export default function RulesScreen() {
  const answer = useAnswer('resources', 'GET /api/v1/rules', {})
  if (answer.error)
    return (
      <Page title={texts.title}>
        <ProblemNote problem={answer.error} onRetry={() => void answer.refetch()} />
      </Page>
    )
  if (!answer.data)
    return (
      <Page title={texts.title}>
        <Bars />
      </Page>
    )
  const { rules, digest, loadedAt } = answer.data
  return (
    <Page
      title={texts.title}
      aside={
        <span className="muted" title={digest}>
          <code>{digest.slice(0, 8)}</code> {loadedAt !== null && texts.loaded}{' '}
          {loadedAt !== null && <Time at={loadedAt} />}
        </span>
      }
    >
      {rules.length === 0 && <p className="empty">{texts.none}</p>}
      <ol className="rules">
        {rules.map((rule) => (
          <li key={rule.name}>
            <h2>{visible(rule.name)}</h2>
            <Facts facts={factsOf(rule)} />
          </li>
        ))}
      </ol>
    </Page>
  )
}

function factsOf({ who, selects, levels, maxDurationMs, require, stages }: RuleView): readonly Fact[] {
  const people = [...who.groups.map((group) => `group ${group}`), ...who.emails, ...who.principals]
  const needs = [
    ...(require.reason ? [texts.needsReason] : []),
    ...(require.ticket === null ? [] : [texts.needsTicket(require.ticket)]),
    ...(require.loginWithinMs === null ? [] : [texts.needsLogin(span(require.loginWithinMs))]),
    ...(require.acr.length === 0 ? [] : [texts.needsAcr(require.acr.join(screenWords.catalog.or))]),
  ]
  return [
    [texts.who, people.map(visible).join(screenWords.catalog.or) || texts.anyone],
    [texts.what, visible(selects)],
    [
      texts.levels,
      <span key="l" className="levels">
        {levels.map((level) => (
          <Level key={level} level={level} />
        ))}
      </span>,
    ],
    [texts.most, span(maxDurationMs)],
    [texts.needs, needs.map(visible).join(', ') || null],
    [
      texts.approval,
      stages.length === 0
        ? screenWords.catalog.noApproval
        : stages
            .map(({ anyOf, count }) => `${count} × ${anyOf.map(approver).join(screenWords.catalog.or)}`)
            .join(screenWords.catalog.next),
    ],
  ]
}
