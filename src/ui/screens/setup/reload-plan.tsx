import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import type { Answer } from '../../../contract/routes.ts'
import { useAnswer } from '../../data/queries.ts'
import { Level, ResourceName, State } from '../../parts/marks.tsx'
import { Person } from '../../parts/person.tsx'
import { ProblemNote } from '../../parts/problem-note.tsx'
import { sentence, visible } from '../../words/en.ts'
import { furtherWords } from '../../words/further.ts'

const texts = furtherWords.plan
type Plan = Answer<'GET /api/v1/config/plan'>

/** What a reload of the configuration file would change and end. It is done on the machine of the daemon. */
export function ReloadPlan() {
  const [isAsked, setAsked] = useState(false)
  const plan = useAnswer('setup', 'GET /api/v1/config/plan', {}, { isOff: !isAsked })
  return (
    <section aria-labelledby="plan">
      <div className="heading">
        <h2 id="plan">{texts.title}</h2>
        <button
          type="button"
          disabled={plan.isFetching}
          onClick={() => {
            if (isAsked) void plan.refetch()
            setAsked(true)
          }}
        >
          {plan.isFetching ? texts.comparing : texts.compare}
        </button>
      </div>
      {plan.error && <ProblemNote problem={plan.error} />}
      {plan.data && <Found plan={plan.data} />}
    </section>
  )
}

function Found({ plan }: { readonly plan: Plan }) {
  if (!plan.ok)
    return (
      <div className="problem" role="alert">
        <p>{texts.refused}</p>
        <ul>
          {plan.problems.map(({ path, message, fix }) => (
            <li key={path}>
              <code>{visible(path)}</code> {sentence(message)} {fix !== undefined && sentence(fix)}
            </li>
          ))}
        </ul>
      </div>
    )
  const lines = linesOf(plan)
  return (
    <div role="status">
      {lines.length === 0 && <p>{texts.same}</p>}
      <ul className="plan">
        {lines.map((line) => (
          <li key={line}>{line}</li>
        ))}
      </ul>
      {plan.grants.first.length > 0 && (
        <ul className="plan">
          {plan.grants.first.map(({ id, principal, resourceId, level, endsAt, text }) => (
            <li key={id}>
              <State tone={endsAt === null ? 'bad' : 'wait'} text={endsAt === null ? texts.ends : texts.shortened} />{' '}
              <Link to="/grants/$id" params={{ id }}>
                <Person person={principal} />
              </Link>{' '}
              <ResourceName id={resourceId} kind={resourceId.slice(0, resourceId.indexOf('/'))} />{' '}
              <Level level={level} /> <span className="muted">{sentence(text)}</span>
            </li>
          ))}
        </ul>
      )}
    </div>
  )
}

/** One for each thing that changes. */
function linesOf({
  settings,
  rules,
  resources,
  levelsChanged,
  afterRestart,
  leaving,
  sessions,
  grants,
  requests,
}: Plan) {
  const names = (what: string, { added, removed, changed }: Plan['rules']) => [
    ...(added.length > 0 ? [texts.added(what, added.map(visible).join(', '))] : []),
    ...(removed.length > 0 ? [texts.removed(what, removed.map(visible).join(', '))] : []),
    ...(changed.length > 0 ? [texts.changed(what, changed.map(visible).join(', '))] : []),
  ]
  return [
    ...names(texts.rules, rules),
    ...names(texts.resources, resources),
    ...(levelsChanged ? [texts.levels] : []),
    ...settings.map(({ path, from, to }) => texts.setting(visible(path), visible(from), visible(to))),
    ...(leaving.total > 0 ? [texts.leaving(leaving.total)] : []),
    ...(grants.total > 0 ? [texts.grants(grants.total)] : []),
    ...(sessions > 0 ? [texts.sessions(sessions)] : []),
    ...(requests.total > 0 ? [texts.requests(requests.total)] : []),
    ...(afterRestart.length > 0 ? [texts.afterRestart(afterRestart.join(', '))] : []),
  ]
}
