import './why.css'
import { Link } from '@tanstack/react-router'
import type { WhyAnswer } from '../../../contract/policy.ts'
import { nameOf } from '../../data/names.ts'
import { useAnswer, useMe } from '../../data/queries.ts'
import { useFilters } from '../../data/search.ts'
import { Asked, readForm } from '../../parts/asked.tsx'
import { Level, State } from '../../parts/marks.tsx'
import { Page } from '../../parts/page.tsx'
import { Person } from '../../parts/person.tsx'
import { ProblemNote } from '../../parts/problem-note.tsx'
import { sentence, visible } from '../../words/en.ts'
import { furtherWords } from '../../words/further.ts'

const texts = furtherWords.why
type LevelAnswer = WhyAnswer['levels'][number]

/** `/why?who&resource&level`: what the rules say of a person and a resource, and why. */
export default function WhyScreen() {
  const me = useMe()
  const { search, set } = useFilters()
  const resource = search.resource ?? ''
  const query = {
    resource,
    ...(search.who ? { principal: search.who } : {}),
    ...(search.level ? { level: search.level } : {}),
  }
  const answer = useAnswer('resources', 'GET /api/v1/policy/why', { query }, { isOff: resource === '' })
  const asksOthers = me?.can.audit === true || me?.can.admin === true
  return (
    <Page title={texts.title}>
      <p className="muted apart">{texts.hint}</p>
      <form
        className="why"
        onSubmit={(event) => {
          event.preventDefault()
          const text = readForm(event.currentTarget)
          set({ who: text('who'), resource: text('resource'), level: text('level') })
        }}
      >
        {asksOthers && <Asked name="who" label={texts.who} hint={texts.whoHint} value={search.who} />}
        <Asked name="resource" label={texts.resource} hint={texts.resourceHint} value={search.resource} isNeeded />
        <Asked name="level" label={texts.level} hint={texts.levelHint} value={search.level} />
        <button type="submit" className="main">
          {texts.explain}
        </button>
      </form>
      {answer.error && <ProblemNote problem={answer.error} onRetry={() => void answer.refetch()} />}
      {answer.data && !answer.error && (
        <Answer answer={answer.data} isMine={answer.data.principal.id === me?.principal.id} />
      )}
    </Page>
  )
}

function Answer({ answer, isMine }: { readonly answer: WhyAnswer; readonly isMine: boolean }) {
  const { principal, resource, levels } = answer
  return (
    <article className="reasoning">
      <h2>
        <Person person={principal} /> {texts.on} <code>{visible(resource)}</code>
      </h2>
      <p className="muted">
        {principal.groups.length === 0 ? texts.inNoGroup : texts.inGroups(principal.groups.map(visible).join(', '))}
      </p>
      {levels.map((level) => (
        <LevelReasoning key={level.level} level={level} resource={resource} isMine={isMine} />
      ))}
    </article>
  )
}

interface LevelReasoningProps {
  readonly level: LevelAnswer
  readonly resource: string
  readonly isMine: boolean
}

function LevelReasoning({ level: { level, allowed, reason, rules }, resource, isMine }: LevelReasoningProps) {
  return (
    <section aria-label={visible(level)}>
      <h3>
        <Level level={level} /> <State tone={allowed ? 'good' : 'bad'} text={allowed ? texts.may : texts.mayNot} />
      </h3>
      <p>{sentence(reason)}</p>
      {allowed && isMine && (
        <Link to="/catalog" search={{ ask: resource, q: nameOf(resource) } as never} className="button">
          {texts.request}
        </Link>
      )}
      <details open={!allowed}>
        <summary>{texts.rules}</summary>
        {rules.length === 0 && <p className="empty">{texts.noRules}</p>}
        <ol>
          {rules.map(({ name, matches, conditions }) => (
            <li key={name}>
              <State tone={matches ? 'good' : 'over'} text={matches ? texts.matches : texts.fails} />{' '}
              <strong>{visible(name)}</strong>
              <ul>
                {conditions.map(({ condition, ok, text }) => (
                  <li key={condition} className={ok ? 'met' : 'unmet'}>
                    <span aria-hidden="true">{ok ? '✓' : '✗'}</span> {texts.condition[condition]}: {visible(text)}
                  </li>
                ))}
              </ul>
            </li>
          ))}
        </ol>
      </details>
    </section>
  )
}
